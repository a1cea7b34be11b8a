using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace SseKit.Benchmarks.Server;

/// <summary>What one writes around <c>TypedResults.ServerSentEvents</c> for several subscribers: a channel for each.</summary>
internal sealed class ChannelHub
{
    private readonly Lock _gate = new();
    private readonly List<Channel<SseItem<string>>> _channels = [];

    public void Publish(string text)
    {
        var item = new SseItem<string>(text);
        lock (_gate)
        {
            foreach (var channel in _channels)
            {
                channel.Writer.TryWrite(item);
            }
        }
    }

    public async IAsyncEnumerable<SseItem<string>> SubscribeAsync([EnumeratorCancellation] CancellationToken stop)
    {
        var channel = Channel.CreateUnbounded<SseItem<string>>(new UnboundedChannelOptions { SingleReader = true });
        lock (_gate)
        {
            _channels.Add(channel);
        }

        try
        {
            // So that the client knows when it is subscribed.
            yield return new SseItem<string>("hello", "hello");
            await foreach (var item in channel.Reader.ReadAllAsync(stop))
            {
                yield return item;
            }
        }
        finally
        {
            lock (_gate)
            {
                _channels.Remove(channel);
            }
        }
    }
}
