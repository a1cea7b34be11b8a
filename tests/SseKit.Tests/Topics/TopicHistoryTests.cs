using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Topics;

/// <summary>
/// The same model on real threads: what happened is recorded and judged afterwards, since only the ids tell in which order it did.
/// </summary>
public class TopicHistoryTests
{
    private const int Publishers = 3;
    private const int Each = 400;
    private const string End = "end";
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, 20)]
    [InlineData(false, 10_000)]
    [InlineData(true, 20)]
    [InlineData(true, 10_000)]
    public async Task On_real_threads_too_every_event_comes_once_and_in_order_or_the_gap_is_told(bool withStore, int maxEvents)
    {
        var services = new ServiceCollection();
        if (withStore)
        {
            services.AddSingleton<ISseBacklog>(new SlowPagingBacklog(maxEvents) { PageSize = asked => Math.Min(asked, 20) });
        }

        services.AddSse(options => (options.MaxEventsPerTopic, options.BacklogPollInterval) = (withStore ? 10 : maxEvents, TimeSpan.FromMilliseconds(100)));
        await using var provider = services.BuildServiceProvider();
        var topics = provider.GetRequiredService<ISseTopics>();
        var backlog = provider.GetRequiredService<ISseBacklog>();
        var origin = await topics.GetPositionAsync("orders", Stop);
        var published = new ConcurrentDictionary<string, string>();
        var readers = new List<(string Name, Task<List<Block>> Read)>();
        for (var i = 0; i < 3; i++)
        {
            var seed = i;
            readers.Add(($"subscription {i}", Task.Run(() => SubscribeAsync(topics, origin, new Random(seed)), Stop)));
            readers.Add(($"client {i}", Task.Run(() => ConnectAsync(provider, origin, new Random(seed)), Stop)));
        }

        await Task.WhenAll(Enumerable.Range(0, Publishers).Select(publisher => Task.Run(
            async () =>
            {
                for (var i = 0; i < Each; i++)
                {
                    var data = $"{publisher}.{i}";
                    published[await topics.PublishAsync("orders", data, Stop)] = data;
                    if (i % 10 == publisher)
                    {
                        await Task.Yield();
                    }
                }
            },
            Stop))).WaitAsync(Guard, Stop);
        published[await topics.PublishAsync("orders", End, Stop)] = End;

        // Both stores number their ids in the order of the topic.
        var order = published.Keys.OrderBy(NumberOf).ToList();
        var earliest = (await backlog.ReadAsync("orders", null, 1, Stop)).Entries[0].PreviousId;
        foreach (var (name, read) in readers)
        {
            List<Block> blocks;
            try
            {
                blocks = await read.WaitAsync(Guard, Stop);
            }
            catch (TimeoutException)
            {
                Assert.Fail($"The {name} never got the last event.");
                throw;
            }

            if (Fault(blocks, origin, order, published, earliest) is { } fault)
            {
                Assert.Fail($"The {name}: {fault}\n{string.Join('\n', blocks)}\n\nPublished: {string.Join(' ', order)}");
            }
        }

        foreach (var publisher in Enumerable.Range(0, Publishers))
        {
            var mine = order.Select(id => published[id]).Where(data => data.StartsWith($"{publisher}.", StringComparison.Ordinal));
            Assert.Equal(Enumerable.Range(0, Each).Select(i => $"{publisher}.{i}"), mine);
        }
    }

    /// <summary>What one reader saw, judged: null when it is as promised.</summary>
    private static string? Fault(List<Block> blocks, string origin, List<string> order, ConcurrentDictionary<string, string> published, string earliest)
    {
        var place = order.Select((id, i) => (id, i)).ToDictionary(pair => pair.id, pair => pair.i + 1, StringComparer.Ordinal);
        place[origin] = 0;
        var at = 0;
        foreach (var block in blocks)
        {
            switch (block.EventType)
            {
                case "connect":
                    if (place[block.Id] != at)
                    {
                        return $"came back with {block.Id}, and was at {at}";
                    }

                    break;
                case "gap":
                    var kept = place[earliest];
                    if (at >= kept || !block.Data.Contains($"\"requested\":\"{(at == 0 ? origin : order[at - 1])}\"", StringComparison.Ordinal))
                    {
                        return $"was told {block.Data} at {at}, and what is kept begins at {kept} in the end";
                    }

                    if (!place.TryGetValue(block.Id, out at))
                    {
                        return $"was told {block.Data} with the id {block.Id}";
                    }

                    break;
                default:
                    if (!place.TryGetValue(block.Id, out var next) || next != at + 1 || published[block.Id] != block.Data)
                    {
                        return $"got {block.Id} ({block.Data}) at {at}";
                    }

                    at = next;
                    break;
            }
        }

        return at == order.Count ? null : $"ended at {at} of {order.Count}";
    }

    private static async Task<List<Block>> SubscribeAsync(ISseTopics topics, string id, Random random)
    {
        var blocks = new List<Block>();
        while (true)
        {
            blocks.Add(new Block("connect", "", id));
            var most = random.Next(1, 200);
            await foreach (var item in topics.SubscribeAsync("orders", id, cancellationToken: Stop))
            {
                id = item.EventId!;
                blocks.Add(new Block(item.EventType ?? "message", item.Data!, id));
                if (item.Data == End)
                {
                    return blocks;
                }

                if (--most == 0)
                {
                    break;
                }
            }
        }
    }

    private static async Task<List<Block>> ConnectAsync(IServiceProvider services, string id, Random random)
    {
        var blocks = new List<Block>();
        while (blocks.Count == 0 || blocks[^1].Data != End)
        {
            blocks.Add(new Block("connect", "", id));
            using var flushed = new SemaphoreSlim(0);
            using var connection = new CapturedConnection { OnFlush = () => flushed.Release() };
            var context = new DefaultHttpContext { RequestServices = services };
            context.Features.Set<IHttpResponseBodyFeature>(connection);
            context.Features.Set<IHttpRequestLifetimeFeature>(connection);
            context.Request.Headers["Last-Event-ID"] = id;
            var request = EventSourceResult.FromTopic("orders").ExecuteAsync(context);
            var received = new List<byte>();
            for (var most = random.Next(1, 4_000); most > 0 && blocks[^1].Data != End;)
            {
                await flushed.WaitAsync(Stop);
                var bytes = connection.Receive(most);
                most -= bytes.Length;
                received.AddRange(bytes);
                id = Take(received, blocks) ?? id;
            }

            connection.Leave();
            await request.WaitAsync(Guard, Stop);
        }

        return blocks;
    }

    /// <summary>The whole blocks that were received; the last id among them.</summary>
    private static string? Take(List<byte> received, List<Block> blocks)
    {
        string? id = null;
        var text = Encoding.UTF8.GetString([.. received]);
        while (text.IndexOf("\n\n", StringComparison.Ordinal) is var end and >= 0)
        {
            var lines = text[..end].Split('\n');
            id = ValueOf("id: ")!;
            blocks.Add(new Block(ValueOf("event: ") ?? "message", ValueOf("data: ")!, id));
            text = text[(end + 2)..];
            received.RemoveRange(0, end + 2);

            string? ValueOf(string field) => lines.FirstOrDefault(line => line.StartsWith(field, StringComparison.Ordinal))?[field.Length..];
        }

        return id;
    }

    private static long NumberOf(string id) => long.Parse(id.Split('-', '.')[^1], System.Globalization.CultureInfo.InvariantCulture);

    private sealed record Block(string EventType, string Data, string Id);
}
