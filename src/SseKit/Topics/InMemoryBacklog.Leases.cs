namespace SseKit.Topics;

/// <summary>Producers in memory. A lease holds its topic as a reader does, until both go.</summary>
internal sealed partial class InMemoryBacklog : ISseLeases
{
    private readonly HashSet<MemoryTopic> _leased = [];
    private long _fences;
    private ITimer? _leaseSweep;
    private long _leaseSweepAt;

    public ValueTask<SseLease> AcquireAsync(string topic, SseLeaseTerms terms, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var log = Attach(topic);
        try
        {
            lock (_gate)
            {
                var lease = log.Acquire(terms, _time, () => ++_fences);
                if (lease.Granted && _leased.Add(log))
                {
                    log.Readers++;
                }

                return ValueTask.FromResult(lease);
            }
        }
        finally
        {
            Detach(log);
        }
    }

    public ValueTask<SseLease> RenewAsync(string topic, long fence, TimeSpan duration, CancellationToken cancellationToken) =>
        With(topic, (fence, duration), static (lease, terms) => lease.Renew(terms.fence, terms.duration), cancellationToken);

    public ValueTask<SseLease> AttendAsync(string topic, string node, TimeSpan duration, CancellationToken cancellationToken) =>
        With(topic, (node, duration), static (lease, terms) => lease.Attend(terms.node, terms.duration), cancellationToken);

    public ValueTask<SseLease> StopAsync(string topic, CancellationToken cancellationToken) =>
        With(topic, 0, static (lease, _) => lease.Stop(), cancellationToken);

    public ValueTask<SseLease> ReleaseAsync(string topic, long fence, CancellationToken cancellationToken)
    {
        var released = With(topic, fence, static (lease, fence) => lease.Release(fence), cancellationToken);
        if (Find(topic) is { } log)
        {
            SweepLeasesLater(log);
        }

        return released;
    }

    public ValueTask<SseLease> FindAsync(string topic, CancellationToken cancellationToken) =>
        With(topic, 0, static (_, _) => { }, cancellationToken);

    private ValueTask<SseLease> With<TState>(string topic, TState state, Action<MemoryLease, TState> act, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Find(topic)?.WithLease(state, act) ?? default);
    }

    private MemoryTopic? Find(string topic)
    {
        lock (_gate)
        {
            return _topics.GetValueOrDefault(topic);
        }
    }

    /// <summary>Sees to it that what has ended goes when its time has come. One timer for all of them.</summary>
    private void SweepLeasesLater(MemoryTopic ended)
    {
        lock (_gate)
        {
            Schedule(ended.GoneAt);
        }
    }

    private void Schedule(long? at)
    {
        if (at is not { } due || _disposed || (_leaseSweep is not null && _leaseSweepAt <= due))
        {
            return;
        }

        _leaseSweep?.Dispose();
        _leaseSweepAt = due;

        // Up to the next whole millisecond: a timer knows nothing shorter, and one that comes too early would come again and again.
        var wait = TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling(_time.GetElapsedTime(_time.GetTimestamp(), due).TotalMilliseconds)));
        using (ExecutionContext.SuppressFlow())
        {
            _leaseSweep = _time.CreateTimer(static backlog => ((InMemoryBacklog)backlog!).SweepLeases(), this, wait, Timeout.InfiniteTimeSpan);
        }
    }

    private void SweepLeases()
    {
        lock (_gate)
        {
            var now = _time.GetTimestamp();
            foreach (var log in _leased.Where(log => log.GoneAt <= now).ToList())
            {
                log.Unlease();
                _leased.Remove(log);
                _topics.Remove(log.Name);
                log.Readers--;
            }

            _leaseSweep?.Dispose();
            _leaseSweep = null;
            Schedule(_leased.Min(log => log.GoneAt));
        }
    }
}
