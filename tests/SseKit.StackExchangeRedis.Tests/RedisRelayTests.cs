using System.Collections.Concurrent;
using System.Text;
using SseKit.Tests.Topics;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The contract of a relay on a real Redis, and what else may come by its channels.</summary>
public sealed class RedisRelayTests(SharedRedis redis) : RelayContract, IClassFixture<SharedRedis>, IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private readonly List<RedisNode> _nodes = [];
    private readonly string _prefix = $"{Guid.NewGuid():N}:";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_somebody_else_sends_is_a_ring_at_most()
    {
        var (backlog, _) = CreateTwo();
        var received = new BlockingCollection<string>();
        var rings = new SemaphoreSlim(0);
        await using var listening = await backlog.ListenAsync("orders", item => received.Add(Encoding.UTF8.GetString(item.Frame.Span)), Stop);
        await using var watch = await ((ISseBacklog)backlog).WatchAsync("orders", () => rings.Release(), Stop);
        string[] foreign =
        [
            "hello", "1", "1\0", "1\0t", "1\0t\0", "1\0t\0k", "1\0t\0k\0", "2\0\0\0data: 1\n", "1\0\0\0data: 1", "1\0\0\0data: 1\n\ndata: 2\n",
            "1\0\0\0data: 1\nid: 7\n", "1\0\0\0id: 7\n", "1\0\0\0data: 1\r\n", "1\0\0\0data: \0\n",
        ];
        foreach (var message in foreign)
        {
            await redis.Server.ExecuteAsync("PUBLISH", $"{_prefix}orders", message);
            Assert.True(await rings.WaitAsync(Guard, Stop));
        }

        await redis.Server.ExecuteAsync("PUBLISH", $"{_prefix}orders", "1\0\0\0data: of ours\n");
        Assert.True(received.TryTake(out var frame, (int)Guard.TotalMilliseconds, Stop));
        Assert.Equal("data: of ours\n", frame);
        Assert.Equal(0, rings.CurrentCount);
    }

    [Fact]
    public async Task Readers_on_another_node_get_it_after_what_was_published_before_it()
    {
        const int Count = 50;
        await using var one = await Node.StartAsync(redis.Server.Address, store: options => options.KeyPrefix = _prefix);
        await using var other = await Node.StartAsync(redis.Server.Address, store: options => options.KeyPrefix = _prefix);
        await using var reading = other.Topics.SubscribeAsync("numbers", start: SseStart.Earliest, cancellationToken: Stop).GetAsyncEnumerator(Stop);
        await one.Topics.PublishAsync("numbers", "begin", Stop);
        Assert.True(await reading.MoveNextAsync().AsTask().WaitAsync(Guard, Stop));
        for (var i = 0; i < Count; i++)
        {
            await one.Topics.PublishAsync("numbers", $"{i}", Stop);
            await one.Topics.PublishEphemeralAsync("numbers", new SseEvent($"after {i}", "typing"), Stop);
        }

        // A look at the store may find what was published after it as well.
        for (int kept = 0, heard = 0; kept < Count || heard < Count;)
        {
            Assert.True(await reading.MoveNextAsync().AsTask().WaitAsync(Guard, Stop));
            if (reading.Current.EventId is not null)
            {
                Assert.Equal(($"{kept++}", null), (reading.Current.Data, reading.Current.EventType));
            }
            else
            {
                Assert.Equal(($"after {heard++}", "typing"), (reading.Current.Data, reading.Current.EventType));
                Assert.InRange(kept, heard, Count);
            }
        }
    }

    [Fact]
    public async Task Without_redis_sending_fails_at_once()
    {
        await using var server = await RedisServer.StartAsync();
        var node = RedisNode.On(server, options => options.KeyPrefix = _prefix);
        _nodes.Add(node);
        await node.Backlog.SendAsync("orders", new SseAppend { Frame = "data: 1\n"u8.ToArray() }, Stop);
        await server.KillAsync();

        await Assert.ThrowsAnyAsync<RedisException>(async () =>
        {
            // Until it is noticed that the connection has gone.
            while (true)
            {
                await node.Backlog.SendAsync("orders", new SseAppend { Frame = "data: 1\n"u8.ToArray() }, Stop);
            }
        });
    }

    [Fact]
    public async Task Who_could_not_listen_leaves_no_channel_behind_when_redis_is_back()
    {
        await using var server = await RedisServer.StartAsync();
        var node = RedisNode.On($"{server.Address},asyncTimeout=500", options =>
        {
            options.KeyPrefix = _prefix;
            options.Configuration!.ReconnectRetryPolicy = new LinearRetry(100);
        });
        _nodes.Add(node);
        await using (await node.Backlog.ListenAsync("before", _ => { }, Stop))
        {
            await server.KillAsync();
            await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                // Until it is noticed that the connection has gone.
                while (true)
                {
                    await using var listening = await node.Backlog.ListenAsync("orders", _ => { }, Stop);
                }
            });
        }

        await server.RunAsync();
        var since = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await using var back = await node.Backlog.ListenAsync("after", _ => { }, Stop);
                var channels = (string[])(await server.ExecuteAsync("PUBSUB", "CHANNELS", $"{_prefix}*"))!;
                Assert.Contains($"{_prefix}after", channels);
                Assert.DoesNotContain($"{_prefix}orders", channels);
                return;
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException && TimeProvider.System.GetElapsedTime(since) < Guard)
            {
                await Task.Delay(20, Stop);
            }
        }
    }

    [Fact]
    public async Task The_prefix_that_a_connection_puts_before_its_channels_is_for_both_sides()
    {
        var node = RedisNode.On($"{redis.Server.Address},channelPrefix=shop:", options => options.KeyPrefix = _prefix);
        _nodes.Add(node);
        var received = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var listening = await node.Backlog.ListenAsync("orders", _ => received.TrySetResult(), Stop);
        await node.Backlog.SendAsync("orders", new SseAppend { Frame = "data: 1\n"u8.ToArray() }, Stop);

        await received.Task.WaitAsync(Guard, Stop);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }
    }

    protected override (ISseRelay One, ISseRelay Other) CreateTwo()
    {
        var nodes = Enumerable.Range(0, 2).Select(_ => RedisNode.On(redis.Server, options => options.KeyPrefix = _prefix)).ToList();
        _nodes.AddRange(nodes);
        return (nodes[0].Backlog, nodes[1].Backlog);
    }
}
