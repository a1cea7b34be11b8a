using System.Diagnostics;
using System.Text;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>
/// The figures of the package's README. They judge nothing and run only when asked for:
/// <code>dotnet run -c Release --project tests/SseKit.StackExchangeRedis.Tests -- -explicit only -class "*.Measurements" -showLiveOutput</code>
/// </summary>
public sealed class Measurements(SharedRedis redis) : IClassFixture<SharedRedis>
{
    private const int Rounds = 1_000;
    private const int Topics = 1_000;

    private static readonly byte[] Frame = Encoding.UTF8.GetBytes($"data: {new string('x', 93)}\n");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private RedisServer Server => redis.Server;

    [Fact(Explicit = true)]
    public async Task Publishing()
    {
        await using var node = RedisNode.On(Server);
        await using var raw = await Server.ConnectAsync();
        var database = raw.GetDatabase();
        for (var round = 0; round < 2; round++)
        {
            await RateAsync("publish, one at a time", 1, 5_000, () => AppendAsync(node));
            await RateAsync("raw XADD, one at a time", 1, 5_000, () => AddAsync(database));
            await RateAsync("publish, 256 at a time", 256, 100_000, () => AppendAsync(node));
            await RateAsync("raw XADD, 256 at a time", 256, 100_000, () => AddAsync(database));
        }

        await Server.ExecuteAsync("FLUSHALL");
        await RateAsync("(filling)", 64, 1_000, () => AppendAsync(node));
        Say($"memory: {(long)await Server.ExecuteAsync("MEMORY", "USAGE", "sse:t", "SAMPLES", "0") / 1_000.0:F0} bytes an event of 100 bytes, {await Server.ExecuteAsync("XLEN", "sse:t")} entries");
        await node.Backlog.ReadAsync("empty", null, 0, Stop);
        Say($"memory: {await Server.ExecuteAsync("MEMORY", "USAGE", "sse:empty", "SAMPLES", "0")} bytes an empty topic");
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < 1_000; i++)
        {
            await node.Backlog.ReadAsync("t", null, 256, Stop);
        }

        Say($"reading 256 events: {clock.Elapsed.TotalMicroseconds / 1_000:F0} µs");
    }

    [Fact(Explicit = true)]
    public async Task Publish_to_receive()
    {
        await using var node = RedisNode.On(Server);
        await using var blocked = await ConnectionMultiplexer.ConnectAsync($"{Server.Address},asyncTimeout=60000,protocol=resp2");
        for (var round = 0; round < 2; round++)
        {
            await LatencyAsync("bell and script", node, "bell", async received =>
            {
                var last = (await node.Backlog.ReadAsync("bell", null, 0, Stop)).Head;
                var rung = new SemaphoreSlim(0);
                await using var watch = await node.Backlog.WatchAsync("bell", () => rung.Release(), Stop);
                received(-1);
                for (var i = 0; i < Rounds; i++)
                {
                    await rung.WaitAsync(Stop);
                    last = (await node.Backlog.ReadAsync("bell", last, 256, Stop)).Entries[^1].Id;
                    received(i);
                }
            });
            await LatencyAsync("XREAD BLOCK", node, "block", async received =>
            {
                var database = blocked.GetDatabase();
                RedisValue last = string.Join('-', (await node.Backlog.ReadAsync("block", null, 0, Stop)).Head.Split('-').Take(2));
                received(-1);
                for (var i = 0; i < Rounds; i++)
                {
                    var answer = await database.ExecuteAsync("XREAD", "BLOCK", 50_000, "STREAMS", "sse:block", last);
                    var entries = (RedisResult[])((RedisResult[])((RedisResult[])answer!)[0]!)[1]!;
                    last = (RedisValue)((RedisResult[])entries[^1]!)[0];
                    received(i);
                }
            });
        }
    }

    [Fact(Explicit = true)]
    public async Task A_thousand_topics_that_come_and_go()
    {
        await using var node = RedisNode.On(Server);
        await using var blocked = await ConnectionMultiplexer.ConnectAsync($"{Server.Address},asyncTimeout=60000,protocol=resp2");
        await node.Backlog.ReadAsync("t", null, 0, Stop);
        var process = Process.GetProcessById((int)(long)await Server.ExecuteAsync("EVAL", "return tonumber(string.match(redis.call('INFO', 'server'), 'process_id:(%d+)'))", 0));
        for (var round = 0; round < 3; round++)
        {
            var clock = Stopwatch.StartNew();
            var watches = await Task.WhenAll(Enumerable.Range(0, Topics).Select(async topic => await node.Backlog.WatchAsync($"t{topic}", () => { }, Stop)));
            var came = clock.Elapsed;
            clock.Restart();
            await Task.WhenAll(watches.Select(watch => watch.DisposeAsync().AsTask()));
            Say($"bells: {came.TotalMilliseconds:F1} ms to watch {Topics} topics, {clock.Elapsed.TotalMilliseconds:F1} ms to leave them");
        }

        foreach (var topics in new[] { 1, Topics })
        {
            for (var topic = 0; topic < topics; topic++)
            {
                await node.Backlog.ReadAsync($"b{topic}", null, 0, Stop);
            }

            var before = process.TotalProcessorTime;
            var clock = Stopwatch.StartNew();
            for (var i = 0; i < 500; i++)
            {
                object[] arguments = ["BLOCK", 50_000, "STREAMS", .. Enumerable.Range(0, topics).Select(topic => (object)$"sse:b{topic}"), .. Enumerable.Repeat((object)"$", topics)];
                var waiting = blocked.GetDatabase().ExecuteAsync("XREAD", arguments);
                while (!waiting.IsCompleted)
                {
                    await AppendAsync(node, "b0");
                }

                await waiting;
            }

            process.Refresh();
            Say($"XREAD BLOCK over {topics} topics: {clock.Elapsed.TotalMicroseconds / 500:F0} µs an event, {(process.TotalProcessorTime - before).TotalMicroseconds / 500:F0} µs of Redis");
        }

        var bellsBefore = process.TotalProcessorTime;
        var all = await Task.WhenAll(Enumerable.Range(0, Topics).Select(async topic => await node.Backlog.WatchAsync($"b{topic}", () => { }, Stop)));
        for (var i = 0; i < 500; i++)
        {
            await AppendAsync(node, "b0");
            await node.Backlog.ReadAsync("b0", null, 1, Stop);
        }

        process.Refresh();
        Say($"bells over {all.Length} topics: {(process.TotalProcessorTime - bellsBefore).TotalMicroseconds / 500:F0} µs of Redis an event");
    }

    [Fact(Explicit = true)]
    public async Task The_bell_after_a_broken_connection()
    {
        await using var node = RedisNode.On(Server);
        await using var admin = await Server.ConnectAsync();
        var rung = new SemaphoreSlim(0);
        await using var watch = await node.Backlog.WatchAsync("t", () => rung.Release(), Stop);
        for (var i = 0; i < 5; i++)
        {
            await admin.GetDatabase().ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
            var clock = Stopwatch.StartNew();
            await rung.WaitAsync(Stop);
            Say($"rung by itself {clock.Elapsed.TotalMilliseconds:F0} ms after the subscription connection was killed");
        }
    }

    private static void Say(string line) => TestContext.Current.TestOutputHelper!.WriteLine(line);

    private static async Task AppendAsync(RedisNode node, string topic = "t") => await node.Backlog.AppendAsync(topic, new SseAppend { Frame = Frame }, Stop);

    private static async Task AddAsync(IDatabase database) => await database.StreamAddAsync("raw", [new("f", Frame)], maxLength: 1_000, useApproximateMaxLength: true);

    private static async Task RateAsync(string what, int atOnce, int count, Func<Task> one)
    {
        await one();
        var left = count;
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                await one();
            }
        })));
        Say($"{what}: {count / clock.Elapsed.TotalSeconds:N0} a second");
    }

    private static async Task LatencyAsync(string what, RedisNode publisher, string topic, Func<Action<int>, Task> receive)
    {
        var times = new double[Rounds];
        var received = new SemaphoreSlim(0);
        long sent = 0;
        var receiving = receive(round =>
        {
            if (round >= 0)
            {
                times[round] = Stopwatch.GetElapsedTime(sent).TotalMilliseconds;
            }

            received.Release();
        });
        await received.WaitAsync(Stop);
        await Task.Delay(100, Stop);
        for (var i = 0; i < Rounds; i++)
        {
            sent = Stopwatch.GetTimestamp();
            await AppendAsync(publisher, topic);
            await received.WaitAsync(Stop);

            // Let a blocked reader ask again.
            await Task.Delay(1, Stop);
        }

        await receiving;
        Array.Sort(times);
        Say($"publish to receive, {what}: p50 {times[Rounds / 2]:F2} ms, p99 {times[Rounds * 99 / 100]:F2} ms");
    }
}
