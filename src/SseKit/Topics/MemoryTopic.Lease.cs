namespace SseKit.Topics;

/// <summary>A topic that a producer has for its own.</summary>
internal sealed partial class MemoryTopic
{
    private MemoryLease? _lease;

    // Once a producer's, it goes with the lease, and is none of the topics that are kept for their position alone.
    private bool _wasLeased;

    /// <summary>When lease and topic go; null while that is not known, or where there is no lease.</summary>
    public long? GoneAt
    {
        get
        {
            lock (Gate)
            {
                return _lease?.GoneAt;
            }
        }
    }

    public SseLease Acquire(SseLeaseTerms terms, TimeProvider time, Func<long> nextFence)
    {
        lock (Gate)
        {
            if (_lease is null && terms.TakeOver)
            {
                return default;
            }

            if (_lease is null && Head > 0)
            {
                throw new InvalidOperationException(
                    $"The topic '{Name}' holds events that were published to it, so no producer can have it. Give each producer a topic of its own.");
            }

            _lease ??= new MemoryLease(time);
            KeepsAll = _wasLeased = true;
            return _lease.Acquire(terms, nextFence);
        }
    }

    /// <summary>Does something with the lease, and says how it is then.</summary>
    public SseLease WithLease<TState>(TState state, Action<MemoryLease, TState> act)
    {
        lock (Gate)
        {
            if (_lease is null)
            {
                return default;
            }

            act(_lease, state);
            return _lease.Status;
        }
    }

    /// <summary>Refuses whoever is not the producer. Under the gate.</summary>
    private void CheckFence(long? fence, SseProducerState? outcome)
    {
        if ((_lease is not null || fence is not null || outcome is not null) && _lease?.Admits(fence, outcome) is not true)
        {
            throw new SseFencedException(Name);
        }
    }

    /// <summary>Ends the lease with the event that was just added, if that is the end. Under the gate.</summary>
    private void EndWith(SseProducerState? outcome, string id)
    {
        if (outcome is { } state)
        {
            _lease!.End(state, id);
            IsEnded = true;
        }
    }

    /// <summary>Forgets the lease: whoever still publishes under it is refused.</summary>
    public void Unlease()
    {
        lock (Gate)
        {
            _lease = null;
        }
    }
}
