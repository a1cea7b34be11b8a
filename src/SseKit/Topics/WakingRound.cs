namespace SseKit.Topics;

/// <summary>
/// Wakes many waiters from few places of the thread pool's queue: a place for each costs about as much as what a waiter then does. A part of
/// them goes on in one place, one after the other; the sends that they set off come between the parts, and a waiter whose reader blocks its
/// thread holds up nobody, because whoever is next in the queue takes from the same list.
/// </summary>
internal sealed class WakingRound(WaiterQueue queue) : IThreadPoolWorkItem
{
    /// <summary>With no more than this it is not worth it.</summary>
    public const int Part = 32;

    private LogWaiter?[] _waiters = [];
    private int _count;
    private int _next;
    private int _queued;

    /// <summary>Wakes these. Returns at once.</summary>
    public void Begin(LogWaiter?[] waiters, int count)
    {
        (_waiters, _count, _next) = (waiters, count, 0);
        var places = Math.Min(Environment.ProcessorCount, (count + Part - 1) / Part);
        _queued = places;
        for (var i = 0; i < places; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        // Before the part and not after it, for the sake of those who wait behind one that blocks.
        if (Volatile.Read(ref _next) < _count - Part)
        {
            Interlocked.Increment(ref _queued);
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        for (var woken = 0; woken < Part && Interlocked.Increment(ref _next) is var next && next <= _count; woken++)
        {
            _waiters[next - 1]!.Wake(inline: true);
            _waiters[next - 1] = null;
        }

        if (Interlocked.Decrement(ref _queued) == 0)
        {
            queue.Keep(_waiters, this);
        }
    }
}
