namespace SseKit.Topics;

/// <summary>
/// The default store: the topics of this process. Subscribers read its logs directly; as an <see cref="ISseBacklog"/> it keeps the same
/// contract as every other. One timer sweeps all topics for what has become too old, and for topics that nobody uses any more.
/// </summary>
internal sealed partial class InMemoryBacklog : ISseBacklog, IDisposable
{
    private static readonly TimeSpan ShortestSweep = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestSweep = TimeSpan.FromDays(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, MemoryTopic> _topics = new(StringComparer.Ordinal);

    // Topics that nobody reads and nobody ever published to. They stay as long as there is room: their position may stand in a page.
    private readonly HashSet<MemoryTopic> _unused = [];
    private readonly SseOptions _options;
    private readonly TimeProvider _time;
    private readonly TimeSpan _sweepInterval;
    private ITimer? _sweep;
    private int _sweeps;
    private bool _disposed;

    public InMemoryBacklog(SseOptions options, TimeProvider? time = null)
    {
        _options = options;
        _time = time ?? TimeProvider.System;
        _sweepInterval = SweepInterval(options);
    }

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
                log = new MemoryTopic(topic, TopicRetention.Of(_options, topic), _time);
                _topics.Add(topic, log);
                StartSweeping();
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
            if (--log.Readers > 0)
            {
                return;
            }

            log.LastUsed = _sweeps;
            if (log.IsBlank)
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

    public ValueTask<IReadOnlyList<SseEntry>> AppendAsync(string topic, IReadOnlyList<SseAppend> appends, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var log = Attach(topic);
        try
        {
            return ValueTask.FromResult<IReadOnlyList<SseEntry>>(log.Append(appends));
        }
        finally
        {
            Detach(log);
            if (appends[^1].Outcome is not null)
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

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _sweep?.Dispose();
            _sweep = null;
            _leaseSweep?.Dispose();
            _leaseSweep = null;
        }
    }

    /// <summary>How often it is looked: what is over is gone a quarter of its time later at most. Infinite where nothing is ever over.</summary>
    private static TimeSpan SweepInterval(SseOptions options)
    {
        var spans = options.Retention.Select(rule => rule.MaxAge ?? Timeout.InfiniteTimeSpan)
            .Append(options.MaxEventAge).Append(options.IdleTopicTimeout).Where(span => span != Timeout.InfiniteTimeSpan).ToList();
        return spans.Count == 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromTicks(Math.Clamp(spans.Min().Ticks / 4, ShortestSweep.Ticks, LongestSweep.Ticks));
    }

    private void StartSweeping()
    {
        if (_sweep is not null || _disposed || _sweepInterval == Timeout.InfiniteTimeSpan)
        {
            return;
        }

        // The first publisher's request must not be what all sweeps run in.
        using (ExecutionContext.SuppressFlow())
        {
            _sweep = _time.CreateTimer(static backlog => ((InMemoryBacklog)backlog!).Sweep(), this, _sweepInterval, _sweepInterval);
        }
    }

    private void Sweep()
    {
        var aging = new List<MemoryTopic>();
        lock (_gate)
        {
            _sweeps++;
            foreach (var (name, held) in _topics)
            {
                if (held.Readers == 0 && IsIdle(held))
                {
                    _topics.Remove(name);
                    _unused.Remove(held);
                }
                else if (held.MaxAge != Timeout.InfiniteTimeSpan)
                {
                    aging.Add(held);
                }
            }

            if (_topics.Count == 0)
            {
                _sweep?.Dispose();
                _sweep = null;
            }
        }

        // Outside the gate, which every publisher of every topic needs.
        aging.ForEach(log => log.TrimByAge());
    }

    // Counted in sweeps, so that publishing need not ask for the time. The one in which it was used last does not count: it may have been at its end.
    private bool IsIdle(MemoryTopic log)
    {
        var idle = (_sweeps - log.LastUsed - 1) * _sweepInterval;
        return _options.IdleTopicTimeout != Timeout.InfiniteTimeSpan
            && idle >= _options.IdleTopicTimeout
            && (log.MaxAge == Timeout.InfiniteTimeSpan || idle >= log.MaxAge);
    }

    // Whoever opens streams of made-up names must not push out what was published, so only unused topics make room.
    private void MakeRoom()
    {
        if (_topics.Count < _options.MaxTopics)
        {
            return;
        }

        foreach (var log in _unused)
        {
            _topics.Remove(log.Name);
        }

        _unused.Clear();
        if (_topics.Count >= _options.MaxTopics)
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
