using System.Diagnostics.CodeAnalysis;

namespace SseKit.Topics;

/// <summary>
/// Wakes many waiters from few places of the thread pool's queue: a place for each costs about as much as what a waiter then does. A part of
/// them goes on in one place, one after the other, and the sends that they set off come between the parts. Few places, because a waiter is
/// woken faster than its bytes are sent: with one on every core, thousands of sends pile up, each with a block of the server's memory.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A timer that is not set holds nothing, and it is set only while a round lasts.")]
internal sealed class WakingRound : IThreadPoolWorkItem
{
    /// <summary>With no more than this it is not worth it.</summary>
    public const int Part = 32;

    private const int CoresPerPlace = 4;

    // Real time, whatever clock the app has: a reader that blocks its thread, as one inside the app may, blocks a real one.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(20);

    private readonly WaiterQueue _queue;
    private readonly Timer _overdue;
    private LogWaiter?[] _waiters = [];
    private int _count;
    private int _next;
    private int _places;
    private int _nextSeen;

    public WakingRound(WaiterQueue queue)
    {
        _queue = queue;
        using (ExecutionContext.SuppressFlow())
        {
            _overdue = new Timer(static round => ((WakingRound)round!).AddPlaceIfStuck(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Wakes these. Returns at once.</summary>
    public void Begin(LogWaiter?[] waiters, int count)
    {
        (_waiters, _count, _next, _nextSeen) = (waiters, count, 0, 0);
        var places = Math.Clamp(Environment.ProcessorCount / CoresPerPlace, 1, (count + Part - 1) / Part);
        _places = places;
        _overdue.Change(Patience, Timeout.InfiniteTimeSpan);
        for (var i = 0; i < places; i++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        for (var woken = 0; woken < Part && Interlocked.Increment(ref _next) is var next && next <= _count; woken++)
        {
            // The first touch of each connection's objects is the largest part of what a delivery costs beside its sending. So the memory of
            // the next ones is on its way while this one goes on.
            if (next + 1 < _count)
            {
                _waiters[next + 1]?.Prefetch();
                _waiters[next]?.PrefetchReader();
            }

            _waiters[next - 1]!.Wake(inline: true);
            _waiters[next - 1] = null;
        }

        if (Volatile.Read(ref _next) < _count)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
        else if (Interlocked.Decrement(ref _places) == 0)
        {
            _overdue.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _queue.Keep(_waiters, this);
        }
    }

    // Whoever waits behind a reader that blocks its thread is woken from another place.
    private void AddPlaceIfStuck()
    {
        var (next, places) = (Volatile.Read(ref _next), Volatile.Read(ref _places));
        if (next >= _count || places == 0)
        {
            return;
        }

        // Never to a round that has ended meanwhile: its parts are kept for the next.
        if (next == _nextSeen && Interlocked.CompareExchange(ref _places, places + 1, places) == places)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        _nextSeen = next;
        _overdue.Change(Patience, Timeout.InfiniteTimeSpan);
    }
}
