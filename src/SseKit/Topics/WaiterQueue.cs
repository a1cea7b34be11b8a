namespace SseKit.Topics;

/// <summary>
/// Those who wait for the next event of a log. Taking them all is one swap of arrays, so a publisher holds the gate no longer for ten
/// thousand waiting subscribers than for one. All members but <see cref="Batch.Wake"/> are called under the log's gate.
/// </summary>
internal sealed class WaiterQueue
{
    private LogWaiter?[] _waiters = [];

    // Kept from the last round, so that a lone event to many subscribers allocates nothing.
    private LogWaiter?[]? _spare;
    private WakingRound? _spareRound;
    private int _count;

    // Tells a waiter that was taken from one that still waits: the place that it remembers is of an earlier round then.
    private long _round;

    public void Add(LogWaiter waiter)
    {
        if (_count == _waiters.Length)
        {
            Array.Resize(ref _waiters, Math.Max(4, _count * 2));
        }

        waiter.Queued = (_round, _count);
        _waiters[_count++] = waiter;
    }

    public void Remove(LogWaiter waiter)
    {
        var (round, place) = waiter.Queued;
        if (round != _round)
        {
            return;
        }

        var last = _waiters[--_count]!;
        _waiters[_count] = null;
        if (last != waiter)
        {
            _waiters[place] = last;
            last.Queued = (_round, place);
        }

        waiter.Queued = (-1, 0);
    }

    public Batch TakeAll()
    {
        if (_count == 0)
        {
            return default;
        }

        var batch = new Batch(this, _waiters, _count);
        _waiters = Interlocked.Exchange(ref _spare, null) ?? [];
        _count = 0;
        _round++;
        return batch;
    }

    /// <summary>Takes back what a round needed.</summary>
    public void Keep(LogWaiter?[] waiters, WakingRound? round)
    {
        Volatile.Write(ref _spare, waiters);
        if (round is not null)
        {
            Volatile.Write(ref _spareRound, round);
        }
    }

    /// <summary>Waiters that were taken, to be woken outside the gate.</summary>
    public readonly struct Batch(WaiterQueue queue, LogWaiter?[] waiters, int count)
    {
        public int Count => count;

        public void Wake()
        {
            // Not where a publisher has a context of its own, as the tests' seeded scheduler is: there each waiter goes on in its own.
            if (count > WakingRound.Part && SynchronizationContext.Current is null)
            {
                (Interlocked.Exchange(ref queue._spareRound, null) ?? new WakingRound(queue)).Begin(waiters, count);
                return;
            }

            for (var i = 0; i < count; i++)
            {
                waiters[i]!.Wake(inline: false);
                waiters[i] = null;
            }

            if (count > 0)
            {
                queue.Keep(waiters, round: null);
            }
        }
    }
}
