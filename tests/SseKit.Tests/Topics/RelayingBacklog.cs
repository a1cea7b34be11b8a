namespace SseKit.Tests.Topics;

/// <summary>A store that also passes on what is not kept, from all nodes that have it to all that listen.</summary>
internal sealed class RelayingBacklog(ISseBacklog store) : ISseBacklog, ISseRelay
{
    private readonly Lock _gate = new();
    private readonly List<Listening> _listening = [];

    /// <summary>Hands an event over; a test may do so later, or never.</summary>
    public Action<Action> Deliver { get; set; } = static deliver => deliver();

    public int Listeners
    {
        get
        {
            lock (_gate)
            {
                return _listening.Count;
            }
        }
    }

    public ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) =>
        store.AppendAsync(topic, append, cancellationToken);

    public ValueTask<IReadOnlyList<SseEntry>> AppendAsync(string topic, IReadOnlyList<SseAppend> appends, CancellationToken cancellationToken) =>
        store.AppendAsync(topic, appends, cancellationToken);

    public ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken) =>
        store.ReadAsync(topic, after, max, cancellationToken);

    public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken) =>
        store.WatchAsync(topic, grown, cancellationToken);

    public ValueTask SendAsync(string topic, SseAppend item, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<Listening> listening;
        lock (_gate)
        {
            listening = [.. _listening.Where(one => one.Topic == topic)];
        }

        foreach (var one in listening)
        {
            Deliver(() => one.Received(item));
        }

        return default;
    }

    public ValueTask<IAsyncDisposable> ListenAsync(string topic, Action<SseAppend> received, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var listening = new Listening(this, topic, received);
        lock (_gate)
        {
            _listening.Add(listening);
        }

        return ValueTask.FromResult<IAsyncDisposable>(listening);
    }

    private sealed class Listening(RelayingBacklog backlog, string topic, Action<SseAppend> received) : IAsyncDisposable
    {
        public string Topic => topic;

        public Action<SseAppend> Received => received;

        public ValueTask DisposeAsync()
        {
            lock (backlog._gate)
            {
                backlog._listening.Remove(this);
            }

            return default;
        }
    }
}
