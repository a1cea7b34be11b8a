using StackExchange.Redis;

namespace SseKit.StackExchangeRedis;

/// <summary>
/// The doorbells of the topics that this node reads: one channel a topic, all on the one subscription connection that the node has. A ring
/// says only that the topic grew. Rings get lost, with the connection and in a failover, so nothing relies on one.
/// </summary>
internal sealed class RedisBells
{
    private static readonly TimeSpan ConnectsWithin = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(25);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Bell> _bells = new(StringComparer.Ordinal);
    private readonly RedisConnection _connection;
    private readonly string _prefix;

    public RedisBells(RedisConnection connection, string prefix)
    {
        _connection = connection;
        _prefix = prefix;
        connection.Restored += RingAll;
    }

    public async ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken)
    {
        Bell bell;
        var watch = new Watch(this, topic, grown);
        lock (_gate)
        {
            if (!_bells.TryGetValue(topic, out bell!) || bell.Hung.IsFaulted)
            {
                _bells[topic] = bell = new Bell();
                bell.Hung = HangAsync(topic, bell);
            }

            bell.Watches.Add(watch);
            watch.Bell = bell;
        }

        try
        {
            await bell.Hung.WaitAsync(cancellationToken);
            return watch;
        }
        catch
        {
            await watch.DisposeAsync();
            throw;
        }
    }

    private async Task HangAsync(string topic, Bell bell)
    {
        // Off the gate.
        await Task.Yield();
        var link = await _connection.GetAsync(CancellationToken.None);

        // The connection for subscriptions may come up a moment after the other one, and the first clients do not wait for it.
        var since = TimeProvider.System.GetTimestamp();
        while (!link.Subscriber.IsConnected() && link.Database.IsConnected(_prefix) && TimeProvider.System.GetElapsedTime(since) < ConnectsWithin)
        {
            await Task.Delay(LookAgain);
        }

        await link.Subscriber.SubscribeAsync(Channel(topic), bell.Handler);
    }

    private async ValueTask TakeDownAsync(string topic, Bell bell)
    {
        try
        {
            await bell.Hung;
            var link = await _connection.GetAsync(CancellationToken.None);
            await link.Subscriber.UnsubscribeAsync(Channel(topic), bell.Handler);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // It was never hung, or the connection is gone and the channel with it: StackExchange.Redis has forgotten the handler either way.
        }
    }

    private RedisChannel Channel(string topic) => RedisChannel.Literal(_prefix + topic).WithKeyRouting();

    private void RingAll()
    {
        Bell[] bells;
        lock (_gate)
        {
            bells = [.. _bells.Values];
        }

        foreach (var bell in bells)
        {
            bell.Ring();
        }
    }

    private sealed class Bell
    {
        public Bell() => Handler = (_, _) => Ring();

        public Action<RedisChannel, RedisValue> Handler { get; }

        public Task Hung { get; set; } = Task.CompletedTask;

        public WatchList Watches { get; } = new();

        public void Ring()
        {
            foreach (var watch in Watches.Snapshot)
            {
                watch.Ring();
            }
        }
    }

    private sealed class WatchList
    {
        // Replaced, never changed: it is walked without a lock.
        public Watch[] Snapshot { get; private set; } = [];

        public void Add(Watch watch) => Snapshot = [.. Snapshot, watch];

        public bool Remove(Watch watch)
        {
            Snapshot = [.. Snapshot.Where(other => other != watch)];
            return Snapshot.Length == 0;
        }
    }

    private sealed class Watch(RedisBells bells, string topic, Action grown) : IAsyncDisposable
    {
        private int _disposed;

        public Bell? Bell { get; set; }

        public void Ring()
        {
            if (Volatile.Read(ref _disposed) == 0)
            {
                grown();
            }
        }

        public ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _disposed, 1) != 0)
            {
                return default;
            }

            lock (bells._gate)
            {
                if (!Bell!.Watches.Remove(this))
                {
                    return default;
                }

                if (bells._bells.TryGetValue(topic, out var current) && current == Bell)
                {
                    bells._bells.Remove(topic);
                }
            }

            return bells.TakeDownAsync(topic, Bell);
        }
    }
}
