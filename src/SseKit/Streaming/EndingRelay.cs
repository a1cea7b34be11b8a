using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Hosting;
using SseKit.Diagnostics;
using SseKit.Topics;
using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>Ends streams by key on all nodes. They tell each other through the store's relay, under a name that no topic can have.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without a timer holds nothing.")]
internal sealed class EndingRelay(StreamHost host, ISseBacklog backlog) : IHostedService
{
    private const string Name = "\u0001end";
    private const char WithoutEvent = '-';
    private const char WithEvent = '+';

    private readonly string _node = Guid.NewGuid().ToString("N");
    private readonly CancellationTokenSource _stop = new();
    private Task<IAsyncDisposable?>? _listening;

    /// <summary>Ends them here at once, and tells the others.</summary>
    public ValueTask EndAsync(string key, SseEvent? last, CancellationToken cancellationToken)
    {
        var relay = backlog as ISseRelay;
        if (relay is null && backlog is not InMemoryBacklog)
        {
            throw new NotSupportedException(
                $"{backlog.GetType().Name} does not pass anything on to other nodes. Implement {nameof(ISseRelay)} beside {nameof(ISseBacklog)}, or call {nameof(ISseConnections.EndStreams)} on each node.");
        }

        host.Streams.End(key, last);
        if (relay is null)
        {
            return default;
        }

        var body = ScratchFrames.Rent();
        EventFrame.WriteBody(body, last ?? default, host.Json);
        return relay.SendAsync(
            Name,
            new SseAppend { Frame = body.ReturnAsArray(), EventType = $"{(last is null ? WithoutEvent : WithEvent)}{_node}", Key = key },
            cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        // The store may be away yet, and the app starts all the same.
        if (backlog is ISseRelay relay && host.Options.ConnectionKey is not null)
        {
            _listening = ListenAsync(relay);
        }

        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        if (Interlocked.Exchange(ref _listening, null) is { } listening && await listening is { } open)
        {
            await open.DisposeAsync();
        }
    }

    private async Task<IAsyncDisposable?> ListenAsync(ISseRelay relay)
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                return await relay.ListenAsync(Name, Receive, _stop.Token);
            }
            catch (Exception exception)
            {
                Log.EndingsUnheard(host.Logger, exception);
                await Task.Delay(host.Options.BacklogPollInterval, host.Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        return null;
    }

    private void Receive(SseAppend told)
    {
        // What this node has said it has done: whoever came back meanwhile is not to be ended again.
        if (told.EventType is { Length: > 1 } word && !word.AsSpan(1).SequenceEqual(_node))
        {
            host.Streams.End(told.Key ?? "", word[0] == WithEvent ? FrameReader.Read(told.Frame.Span, id: null) : default(SseEvent?));
        }
    }
}
