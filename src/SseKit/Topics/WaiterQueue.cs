using SseKit.Waiting;

namespace SseKit.Topics;

/// <summary>
/// Those who wait for the next event of a log. Taking them all is one swap of arrays, so a publisher holds the gate no longer for ten
/// thousand waiting subscribers than for one. All members but <see cref="Batch.Wake"/> are called under the log's gate.
/// </summary>
internal sealed class WaiterQueue
{
    private readonly WakingRounds<LogCursor> _rounds = new(static (waiter, inline) => waiter.Wake(inline));
    private LogCursor?[] _waiters = [];
    private int _count;

    // Tells a waiter that was taken from one that still waits: the place that it remembers is of an earlier round then.
    private long _round;

    public void Add(LogCursor waiter)
    {
        if (_count == _waiters.Length)
        {
            Array.Resize(ref _waiters, Math.Max(4, _count * 2));
        }

        waiter.Queued = (_round, _count);
        _waiters[_count++] = waiter;
    }

    public void Remove(LogCursor waiter)
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

        var batch = new Batch(_rounds, _waiters, _count);
        _waiters = _rounds.Rent();
        _count = 0;
        _round++;
        return batch;
    }

    /// <summary>Waiters that were taken, to be woken outside the gate.</summary>
    public readonly struct Batch(WakingRounds<LogCursor> rounds, LogCursor?[] waiters, int count)
    {
        public int Count => count;

        public void Wake()
        {
            if (count > 0)
            {
                rounds.Wake(waiters, count);
            }
        }
    }
}
