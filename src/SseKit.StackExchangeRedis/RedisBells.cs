using StackExchange.Redis;

namespace SseKit.StackExchangeRedis;

/// <summary>
/// The doorbells of the topics that this node reads: one channel a topic, all on the one subscription connection that the node has. A ring
/// says only that the topic grew. Rings get lost, with the connection and in a failover, so nothing relies on one. Events that are not kept
/// come by the same channel, so that they stay behind the rings for what was published before them.
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

    public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken) =>
        AddAsync(topic, new Watch(this, topic) { Grown = grown }, cancellationToken);

    public ValueTask<IAsyncDisposable> ListenAsync(string topic, Action<SseAppend> received, CancellationToken cancellationToken) =>
        AddAsync(topic, new Watch(this, topic) { Received = received }, cancellationToken);

    public RedisChannel Channel(string topic) => RedisChannel.Literal(_prefix + topic).WithKeyRouting();

    private async ValueTask<IAsyncDisposable> AddAsync(string topic, Watch watch, CancellationToken cancellationToken)
    {
        Bell bell;
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

        // By a queue, and not by a handler: StackExchange.Redis calls a handler for several messages at once, in any order.
        try
        {
            bell.Queue = await link.Subscriber.SubscribeAsync(Channel(topic));
        }
        catch
        {
            Forget(link, topic, bell);
            throw;
        }

        bell.Queue.OnMessage(message => bell.Receive(message.Message));
    }

    /// <summary>
    /// A subscription that failed is one to StackExchange.Redis all the same: made good when the connection is back, into a queue that nobody
    /// would ever read. It has no name that could be taken away alone, so all of the channel goes, unless another bell hangs there by now.
    /// </summary>
    private void Forget(RedisLink link, string topic, Bell bell)
    {
        lock (_gate)
        {
            if (!_bells.TryGetValue(topic, out var current) || current == bell)
            {
                link.Subscriber.Unsubscribe(Channel(topic), flags: CommandFlags.FireAndForget);
            }
        }
    }

    private static async ValueTask TakeDownAsync(Bell bell)
    {
        try
        {
            await bell.Hung;
            await bell.Queue!.UnsubscribeAsync();
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // It was never hung, or the connection is gone and the channel with it: StackExchange.Redis has forgotten the queue either way.
        }
    }

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
        public ChannelMessageQueue? Queue { get; set; }

        public Task Hung { get; set; } = Task.CompletedTask;

        public WatchList Watches { get; } = new();

        public void Receive(RedisValue message)
        {
            if (!EphemeralMessage.TryDecode(message, out var item))
            {
                Ring();
                return;
            }

            foreach (var watch in Watches.Snapshot)
            {
                watch.Receive(item);
            }
        }

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

    private sealed class Watch(RedisBells bells, string topic) : IAsyncDisposable
    {
        private int _disposed;

        public Action? Grown { get; init; }

        public Action<SseAppend>? Received { get; init; }

        public Bell? Bell { get; set; }

        public void Ring()
        {
            if (Volatile.Read(ref _disposed) == 0)
            {
                Grown?.Invoke();
            }
        }

        public void Receive(SseAppend item)
        {
            if (Volatile.Read(ref _disposed) == 0)
            {
                Received?.Invoke(item);
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

            return TakeDownAsync(Bell);
        }
    }
}
