namespace SseKit.Topics;

/// <summary>
/// The default store: the topics of this process. Subscribers read its logs directly; as an <see cref="ISseBacklog"/> it keeps the same
/// contract as every other.
/// </summary>
internal sealed partial class InMemoryBacklog(SseOptions options, TimeProvider? time = null) : ISseBacklog
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, MemoryTopic> _topics = new(StringComparer.Ordinal);

    // Topics that nobody reads and nobody ever published to. They stay as long as there is room: their position may stand in a page.
    private readonly HashSet<MemoryTopic> _unused = [];

    public string Append(
        string topic, ReadOnlySpan<byte> body, string? eventType, string? key, long? fence = null, SseProducerState? outcome = null)
    {
        // The reader's place keeps the topic from being dropped between finding it and writing to it.
        var log = Attach(topic);
        try
        {
            return log.Append(body, eventType, key, fence, outcome);
        }
        finally
        {
            Detach(log);
            if (outcome is not null)
            {
                SweepLeasesLater(log);
            }
        }
    }

    /// <summary>Hands an event that is not kept to the topic's subscribers.</summary>
    public void Send(string topic, ReadOnlySpan<byte> body, string? eventType, string? key)
    {
        MemoryTopic? log;
        lock (_gate)
        {
            // Where nobody reads it would only take up memory, and a topic that is not there must not come to be by it.
            if (!_topics.TryGetValue(topic, out log) || log.Subscribers == 0)
            {
                return;
            }
        }

        log.AddEphemeral(body, eventType, key);
    }

    /// <summary>How many subscriptions read the topic now.</summary>
    public int CountSubscribers(string topic)
    {
        lock (_gate)
        {
            return _topics.TryGetValue(topic, out var log) ? log.Subscribers : 0;
        }
    }

    /// <summary>The topic's log, kept until <see cref="Detach"/>.</summary>
    /// <exception cref="InvalidOperationException">There are too many topics.</exception>
    public MemoryTopic Attach(string topic, bool subscribes = false)
    {
        lock (_gate)
        {
            if (!_topics.TryGetValue(topic, out var log))
            {
                MakeRoom();
                log = new MemoryTopic(topic, options.MaxEventsPerTopic, options.MaxBytesPerTopic);
                _topics.Add(topic, log);
            }

            if (log.Readers++ == 0)
            {
                _unused.Remove(log);
            }

            log.Subscribers += subscribes ? 1 : 0;

            return log;
        }
    }

    public void Detach(MemoryTopic log, bool subscribes = false)
    {
        lock (_gate)
        {
            log.Subscribers -= subscribes ? 1 : 0;
            if (--log.Readers == 0 && log.IsBlank)
            {
                _unused.Add(log);
            }
        }
    }

    public ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var log = Attach(topic);
        try
        {
            return ValueTask.FromResult(log.Append(append));
        }
        finally
        {
            Detach(log);
            if (append.Outcome is not null)
            {
                SweepLeasesLater(log);
            }
        }
    }

    public ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var log = Attach(topic);
        try
        {
            return ValueTask.FromResult(log.Read(after, max));
        }
        finally
        {
            Detach(log);
        }
    }

    public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var log = Attach(topic);
        log.Watch(grown);
        return ValueTask.FromResult<IAsyncDisposable>(new Subscription(this, log, grown));
    }

    // Whoever opens streams of made-up names must not push out what was published, so only unused topics make room.
    private void MakeRoom()
    {
        if (_topics.Count < options.MaxTopics)
        {
            return;
        }

        foreach (var log in _unused)
        {
            _topics.Remove(log.Name);
        }

        _unused.Clear();
        if (_topics.Count >= options.MaxTopics)
        {
            throw new InvalidOperationException(
                $"There are {_topics.Count} topics already, which is {nameof(SseOptions)}.{nameof(SseOptions.MaxTopics)}. Raise it, or use fewer topics: one for many subjects, told apart by what the events hold.");
        }
    }

    private sealed class Subscription(InMemoryBacklog backlog, MemoryTopic log, Action grown) : IAsyncDisposable
    {
        private int _disposed;

        public ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                log.Unwatch(grown);
                backlog.Detach(log);
            }

            return default;
        }
    }
}
