using System.Diagnostics;
using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>
/// The figures of the package's README, as the tables that stand there. They judge nothing and run only when asked for:
/// <code>dotnet run -c Release --project tests/SseKit.StackExchangeRedis.Tests -- -explicit only -class "*.Measurements"</code>
/// </summary>
public sealed class Measurements(SharedRedis redis) : IClassFixture<SharedRedis>
{
    private const int Topics = 1_000;

    private static readonly byte[] Frame = FrameOf(100);

    private readonly StringBuilder _tables = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private RedisServer Server => redis.Server;

    [Fact(Explicit = true)]
    public async Task The_figures_of_the_guide()
    {
        await using var node = RedisNode.On(Server);
        await using var raw = await Server.ConnectAsync();
        var cost = new RedisCost(Server);
        await AppendAsync(node, "warm");
        await AddAsync(raw.GetDatabase(), "warm up");

        await PublishingAsync(node, raw.GetDatabase(), cost);
        await LatencyAsync(node);
        await ChoiceAsync(node, cost);
        await ReadingAsync(node, cost);
        await MemoryAsync(node);
        Console.WriteLine(_tables);
    }

    private static byte[] FrameOf(int bytes) => Encoding.UTF8.GetBytes($"data: {new string('x', bytes - 7)}\n");

    private static async Task AppendAsync(RedisNode node, string topic = "t", byte[]? frame = null) =>
        await node.Backlog.AppendAsync(topic, new SseAppend { Frame = frame ?? Frame }, Stop);

    private static async Task AddAsync(IDatabase database, string key) => await database.StreamAddAsync(key, [new("f", Frame)], maxLength: 1_000, useApproximateMaxLength: true);

    private static async Task ManyAsync(int count, int atOnce, Func<Task> one)
    {
        var left = count;
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                await one();
            }
        })));
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);

    private void Title(params string[] columns)
    {
        Row(["", .. columns]);
        Row([.. Enumerable.Repeat("---", columns.Length + 1)]);
    }

    private void Row(params string[] cells) => _tables.Append(CultureInfo.InvariantCulture, $"{(cells[0].Length == 0 ? "\n" : "")}| {string.Join(" | ", cells)} |\n");

    private async Task PublishingAsync(RedisNode node, IDatabase database, RedisCost cost)
    {
        Title("events a second", "CPU of Redis an event", "of it in the command");
        foreach (var atOnce in new[] { 1, 256 })
        {
            var count = atOnce == 1 ? 10_000 : 100_000;
            foreach (var (what, command, one) in new (string, string, Func<Task>)[]
            {
                ("SseKit", "evalsha", () => AppendAsync(node)),
                ("bare `XADD` of StackExchange.Redis", "xadd", () => AddAsync(database, "raw")),
            })
            {
                var (rates, costs, commands) = (new List<double>(), new List<double>(), new List<double>());
                for (var round = 0; round < 3; round++)
                {
                    commands.Add(await cost.OfOneAsync(command, async () => costs.Add(await cost.OfAsync(async () =>
                    {
                        var clock = Stopwatch.StartNew();
                        await ManyAsync(count, atOnce, one);
                        rates.Add(count / clock.Elapsed.TotalSeconds);
                    }) / count)));
                }

                Row($"{what}, {(atOnce == 1 ? "one at a time" : $"{atOnce} at a time")}", $"{rates.Min():N0}–{rates.Max():N0}", $"{Median(costs):F0} µs", $"{Median(commands):F1} µs");
            }
        }
    }

    private async Task LatencyAsync(RedisNode node)
    {
        Title("p50", "p99");
        await using var bare = await Server.ConnectAsync();
        await RowAsync("SseKit: publish, bell, read", new BellFollower(node), () => AppendAsync(node, "latency"));
        await RowAsync("SseKit's publish, `XREAD BLOCK`", await BlockFollower.OnAsync(Server, node, "sse:"), () => AppendAsync(node, "latency"));
        await RowAsync("bare `XADD`, `XREAD BLOCK`", await BlockFollower.OnAsync(Server, node, "sse:"), () => AddAsync(bare.GetDatabase(), "sse:latency"));

        async Task RowAsync(string what, Follower follower, Func<Task> publish)
        {
            const int Rounds = 2_000;
            await using var following = follower;
            await follower.FollowAsync("latency");
            var times = new double[Rounds];
            for (var round = 0; round < Rounds; round++)
            {
                // Let a blocked reader ask again.
                await Task.Delay(1, Stop);
                var sent = Stopwatch.GetTimestamp();
                await publish();
                await follower.NextAsync("latency");
                times[round] = Stopwatch.GetElapsedTime(sent).TotalMilliseconds;
            }

            Array.Sort(times);
            Row(what, $"{times[Rounds / 2]:F2} ms", $"{times[Rounds * 99 / 100]:F2} ms");
        }
    }

    private async Task ChoiceAsync(RedisNode node, RedisCost cost)
    {
        await using var admin = await Server.ConnectAsync();

        // It publishes while the connections of the first one are broken.
        await using var other = RedisNode.On(Server);
        await AppendAsync(other, "topic0");
        var figures = new List<List<string>>();
        foreach (var blocks in new[] { false, true })
        {
            await using Follower follower = blocks ? await BlockFollower.OnAsync(Server, node, "sse:") : new BellFollower(node);
            await follower.FollowAsync("topic0");
            var (one, oneBack) = (await EventAsync(follower), await BackAsync(follower));
            var clock = Stopwatch.StartNew();
            var coming = await cost.OfAsync(async () =>
            {
                for (var topic = 1; topic < Topics; topic++)
                {
                    await follower.FollowAsync($"topic{topic}");
                }
            });
            var came = clock.Elapsed;
            var (all, allBack) = (await EventAsync(follower), await BackAsync(follower));
            clock.Restart();
            var going = await cost.OfAsync(async () =>
            {
                for (var topic = 1; topic < Topics; topic++)
                {
                    await follower.LeaveAsync($"topic{topic}");
                }
            });
            figures.Add(
            [
                $"{one:F0} µs", $"{all:F0} µs", $"{came.TotalMicroseconds / Topics:F0} µs, {coming / Topics:F0} µs of Redis",
                $"{clock.Elapsed.TotalMicroseconds / Topics:F0} µs, {going / Topics:F0} µs of Redis", $"{oneBack:F0} ms", $"{allBack:F0} ms",
            ]);
        }

        Title("bell and read", "`XREAD BLOCK` on a connection of its own");
        string[] rows =
        [
            "CPU of Redis for one event and its read, 1 topic followed", $"the same, {Topics:N0} topics followed", $"a topic comes, up to {Topics:N0}",
            $"a topic goes, from {Topics:N0}", "the connection is killed: until the next event is there, 1 topic", $"the same, {Topics:N0} topics",
        ];
        foreach (var (row, index) in rows.Select((row, index) => (row, index)))
        {
            Row(row, figures[0][index], figures[1][index]);
        }

        async Task<double> EventAsync(Follower follower)
        {
            const int Rounds = 1_000;
            return await cost.OfAsync(async () =>
            {
                for (var round = 0; round < Rounds; round++)
                {
                    await AppendAsync(node, "topic0");
                    await follower.NextAsync("topic0");
                }
            }) / Rounds;
        }

        async Task<double> BackAsync(Follower follower)
        {
            var times = new List<double>();
            for (var round = 0; round < 7; round++)
            {
                // All that went before is over.
                await Task.Delay(300, Stop);
                await follower.BreakAsync(admin.GetDatabase());
                var clock = Stopwatch.StartNew();
                await AppendAsync(other, "topic0");
                await follower.NextAsync("topic0");
                times.Add(clock.Elapsed.TotalMilliseconds);
            }

            return Median(times);
        }
    }

    private async Task ReadingAsync(RedisNode node, RedisCost cost)
    {
        await node.Backlog.ReadAsync("t", null, 0, Stop);
        for (var i = 0; i < 1_000; i++)
        {
            await AppendAsync(node);
        }

        var entries = (await node.Backlog.ReadAsync("t", null, 256, Stop)).Entries;
        var newest = (await node.Backlog.ReadAsync("t", null, 0, Stop)).Head;
        var one = (await node.Backlog.ReadAsync("t", null, 1_000, Stop)).Entries[^2].Id;
        Title("in the command", "CPU of Redis");
        await RowAsync("a look at a topic that has not grown", newest);
        await RowAsync("a read of one new event", one);
        await RowAsync($"a read of {entries.Count} events of 100 bytes", null);

        async Task RowAsync(string what, string? after)
        {
            const int Rounds = 2_000;
            double all = 0;
            var each = await cost.OfOneAsync("evalsha", async () => all = await cost.OfAsync(() => ManyAsync(Rounds, 1, async () => await node.Backlog.ReadAsync("t", after, 256, Stop))));
            Row(what, $"{each:F0} µs", $"{all / Rounds:F0} µs");
        }
    }

    private async Task MemoryAsync(RedisNode node)
    {
        Title("memory in Redis");
        foreach (var bytes in new[] { 100, 1_000 })
        {
            var topic = $"of {bytes}";
            await ManyAsync(1_000, 64, () => AppendAsync(node, topic, FrameOf(bytes)));
            Row($"an event of {bytes:N0} bytes", $"{(long)await Server.ExecuteAsync("MEMORY", "USAGE", $"sse:{topic}", "SAMPLES", "0") / 1_000.0:F0} bytes");
        }

        await node.Backlog.ReadAsync("empty", null, 0, Stop);
        Row("a topic without events", $"{await Server.ExecuteAsync("MEMORY", "USAGE", "sse:empty", "SAMPLES", "0")} bytes");
        var clients = ((string)(await Server.ExecuteAsync("CLIENT", "LIST"))!).Split('\n').Count(line => line.Contains("name=SseKit", StringComparison.Ordinal));
        Row("connections of a node", $"{clients}");
    }
}
