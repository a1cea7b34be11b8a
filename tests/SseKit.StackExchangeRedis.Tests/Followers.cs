using System.Collections.Concurrent;
using System.Threading.Channels;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>One of the two ways in which a node can follow its topics, to be measured beside the other.</summary>
internal abstract class Follower(RedisNode node) : IAsyncDisposable
{
    private readonly Channel<string> _received = Channel.CreateUnbounded<string>();

    protected RedisNode Node => node;

    public async Task NextAsync(string topic)
    {
        while (await _received.Reader.ReadAsync(TestContext.Current.CancellationToken) != topic)
        {
        }
    }

    /// <summary>From now on, or from now on no longer.</summary>
    public abstract Task FollowAsync(string topic);

    public abstract Task LeaveAsync(string topic);

    /// <summary>Breaks the connection by which it learns of what is new.</summary>
    public abstract Task BreakAsync(IDatabase admin);

    public abstract ValueTask DisposeAsync();

    protected void Received(string topic) => _received.Writer.TryWrite(topic);
}

/// <summary>As SseKit does it: a bell says that there is something to read.</summary>
internal sealed class BellFollower(RedisNode node) : Follower(node)
{
    private readonly ConcurrentDictionary<string, (IAsyncDisposable Watch, SemaphoreSlim Rung)> _topics = new();
    private readonly CancellationTokenSource _stop = new();

    public override async Task FollowAsync(string topic)
    {
        var rung = new SemaphoreSlim(0);
        var last = (await Node.Backlog.ReadAsync(topic, null, 0, _stop.Token)).Head;
        _topics[topic] = (await Node.Backlog.WatchAsync(topic, () => rung.Release(), _stop.Token), rung);
        _ = ReadAsync(topic, last, rung);
    }

    public override async Task LeaveAsync(string topic)
    {
        if (_topics.TryRemove(topic, out var one))
        {
            await one.Watch.DisposeAsync();
        }
    }

    public override async Task BreakAsync(IDatabase admin) => await admin.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");

    public override async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_topics.Keys.Select(LeaveAsync));
        await _stop.CancelAsync();
    }

    private async Task ReadAsync(string topic, string last, SemaphoreSlim rung)
    {
        while (!_stop.IsCancellationRequested)
        {
            await rung.WaitAsync(_stop.Token);
            foreach (var entry in (await Node.Backlog.ReadAsync(topic, last, 256, _stop.Token)).Entries)
            {
                last = entry.Id;
                Received(topic);
            }
        }
    }
}

/// <summary>The other way: a connection of its own waits for all topics at once, and has to be told all of them each time.</summary>
internal sealed class BlockFollower : Follower
{
    private readonly ConcurrentDictionary<string, RedisValue> _last = new();
    private readonly IConnectionMultiplexer _own;
    private readonly IConnectionMultiplexer _admin;
    private readonly string _prefix;
    private readonly Task _waiting;
    private RedisResult? _id;
    private volatile bool _stopped;
    private int _waits;

    private BlockFollower(RedisNode node, IConnectionMultiplexer own, IConnectionMultiplexer admin, string prefix)
        : base(node)
    {
        (_own, _admin, _prefix) = (own, admin, prefix);
        _waiting = Task.Run(WaitAsync);
    }

    public static async Task<BlockFollower> OnAsync(RedisServer server, RedisNode node, string prefix)
    {
        var configuration = ConfigurationOptions.Parse($"{server.Address},asyncTimeout=60000,protocol=resp2,allowAdmin=true");
        configuration.ReconnectRetryPolicy = new LinearRetry(1);
        return new BlockFollower(node, await ConnectionMultiplexer.ConnectAsync(configuration), await server.ConnectAsync(), prefix);
    }

    public override async Task FollowAsync(string topic)
    {
        var head = (await Node.Backlog.ReadAsync(topic, null, 0, CancellationToken.None)).Head;
        _last[_prefix + topic] = head[..head.LastIndexOf('-')];
        await AgainAsync();
    }

    public override async Task LeaveAsync(string topic)
    {
        _last.TryRemove(_prefix + topic, out _);
        await AgainAsync();
    }

    public override async Task BreakAsync(IDatabase admin) => await admin.ExecuteAsync("CLIENT", "KILL", "ID", (long)_id!);

    public override async ValueTask DisposeAsync()
    {
        _stopped = true;

        // What it waits for does not come.
        await _own.CloseAsync(allowCommandsToComplete: false);
        await _own.DisposeAsync();
        await _waiting;
        await _admin.DisposeAsync();
    }

    // Until it waits for what it is to wait for now.
    private async Task AgainAsync()
    {
        for (var waits = Volatile.Read(ref _waits); Volatile.Read(ref _waits) == waits;)
        {
            if (_id is not null && (long)await _admin.GetDatabase().ExecuteAsync("CLIENT", "UNBLOCK", (long)_id) == 0)
            {
                await Task.Yield();
            }
        }
    }

    private async Task WaitAsync()
    {
        while (!_stopped)
        {
            try
            {
                _id ??= await _own.GetDatabase().ExecuteAsync("CLIENT", "ID");
                var topics = _last.ToArray();
                Interlocked.Increment(ref _waits);
                if (topics.Length == 0)
                {
                    await Task.Delay(1);
                    continue;
                }

                object[] arguments = ["BLOCK", 50_000, "STREAMS", .. topics.Select(topic => topic.Key), .. topics.Select(topic => (object)topic.Value)];
                var answer = await _own.GetDatabase().ExecuteAsync("XREAD", arguments);
                foreach (var stream in answer.IsNull ? [] : (RedisResult[])answer!)
                {
                    var key = (string)((RedisResult[])stream!)[0]!;
                    foreach (var entry in (RedisResult[])((RedisResult[])stream!)[1]!)
                    {
                        _last[key] = (RedisValue)((RedisResult[])entry!)[0];
                        Received(key[_prefix.Length..]);
                    }
                }
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
            {
                _id = null;
                await Task.Delay(1);
            }
        }
    }
}
