namespace SseKit.Topics;

/// <summary>The lease of a topic's producer in memory. Used under the topic's gate.</summary>
internal sealed class MemoryLease(TimeProvider time)
{
    private readonly Dictionary<string, long> _attendants = new(StringComparer.Ordinal);
    private string _owner = "";
    private long _fence;
    private long _until;
    private long _attended = time.GetTimestamp();
    private long _retain;
    private bool _stopRequested;
    private SseProducerState _outcome;
    private string? _endId;
    private long _endedAt;

    /// <summary>When it goes, with its topic; null while it is held, however late its holder is: that is this very process.</summary>
    public long? GoneAt => _endId is not null ? _endedAt + _retain : _until == 0 ? _attended + _retain : null;

    public bool Admits(long? fence, SseProducerState? outcome) =>
        fence == _fence && _endId is null && (outcome is not null || !_stopRequested);

    /// <summary>Gives the lease to who asks, or says to whom it belongs.</summary>
    public SseLease Acquire(SseLeaseTerms terms, Func<long> nextFence)
    {
        var free = _fence == 0 ? !terms.TakeOver : terms.TakeOver && State == SseProducerState.Interrupted;
        var again = State == SseProducerState.Running && _owner == terms.Owner;
        if (!free && !again)
        {
            return Status;
        }

        if (!again)
        {
            _retain = terms.TakeOver ? _retain : Ticks(terms.RetainFor);
            _fence = nextFence();
            _owner = terms.Owner;
        }

        _until = time.GetTimestamp() + Ticks(terms.Duration);
        return Status with { Granted = true };
    }

    public void Renew(long fence, TimeSpan duration)
    {
        if (fence == _fence && _endId is null)
        {
            _until = time.GetTimestamp() + Ticks(duration);
        }
    }

    public void Attend(string node, TimeSpan duration)
    {
        if (duration > TimeSpan.Zero)
        {
            _attendants[node] = time.GetTimestamp() + Ticks(duration);
        }
        else if (_attendants.Remove(node))
        {
            _attended = time.GetTimestamp();
        }
    }

    public void Stop() => _stopRequested |= _endId is null;

    public void Release(long fence)
    {
        if (fence == _fence && _endId is null)
        {
            (_until, _attended) = (0, time.GetTimestamp());
        }
    }

    public void End(SseProducerState outcome, string id) => (_outcome, _endId, _endedAt) = (outcome, id, time.GetTimestamp());

    public SseLease Status => new()
    {
        State = State,
        Fence = _fence,
        StopRequested = _stopRequested,
        Unattended = Unattended(),
        EndId = _endId,
    };

    private SseProducerState State =>
        _endId is not null ? _outcome
        : _fence == 0 ? SseProducerState.None
        : time.GetTimestamp() < _until ? SseProducerState.Running
        : SseProducerState.Interrupted;

    private TimeSpan? Unattended()
    {
        var now = time.GetTimestamp();
        foreach (var (node, until) in _attendants)
        {
            if (now < until)
            {
                return null;
            }

            // A node that said nothing more: it was there until then.
            _attended = Math.Max(_attended, until);
            _attendants.Remove(node);
        }

        return time.GetElapsedTime(_attended, now);
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);
}
