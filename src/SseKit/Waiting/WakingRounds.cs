using System.Diagnostics.CodeAnalysis;

namespace SseKit.Waiting;

/// <summary>
/// Wakes many from few places of the thread pool's queue: a place for each costs about as much as what the woken then does. A part of them goes
/// on in one place, one after the other, and the sends that they set off come between the parts. Few places, because a waiter is woken faster
/// than its bytes are sent: with one on every core, thousands of sends pile up, each with a block of the server's memory.
/// </summary>
/// <param name="wake">Wakes one; the second argument says whether it is to go on here and now.</param>
internal sealed class WakingRounds<T>(Action<T, bool> wake)
    where T : class
{
    // With no more than this a round is not worth it.
    private const int Part = 32;

    private const int CoresPerPlace = 4;

    // Real time, whatever clock the app has: a reader that blocks its thread, as one inside the app may, blocks a real one.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(20);

    // Kept from the last round, so that the next allocates nothing.
    private T?[]? _spare;
    private Round? _spareRound;

    /// <summary>An array for those who are to be woken next.</summary>
    public T?[] Rent() => Interlocked.Exchange(ref _spare, null) ?? [];

    /// <summary>Wakes these and takes the array back. Returns at once; called outside all locks.</summary>
    public void Wake(T?[] waiters, int count)
    {
        // Not where the caller has a context of its own, as the tests' seeded scheduler is: there each waiter goes on in its own.
        if (count > Part && SynchronizationContext.Current is null)
        {
            (Interlocked.Exchange(ref _spareRound, null) ?? new Round(this)).Begin(waiters, count);
            return;
        }

        for (var i = 0; i < count; i++)
        {
            wake(waiters[i]!, false);
            waiters[i] = null;
        }

        Volatile.Write(ref _spare, waiters);
    }

    [SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A timer that is not set holds nothing, and it is set only while a round lasts.")]
    private sealed class Round : IThreadPoolWorkItem
    {
        private readonly WakingRounds<T> _rounds;
        private readonly Timer _overdue;
        private T?[] _waiters = [];
        private int _count;
        private int _next;
        private int _places;
        private int _nextSeen;

        public Round(WakingRounds<T> rounds)
        {
            _rounds = rounds;
            using (ExecutionContext.SuppressFlow())
            {
                _overdue = new Timer(static round => ((Round)round!).AddPlaceIfStuck(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }

        public void Begin(T?[] waiters, int count)
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
                _rounds.WakeHere(_waiters[next - 1]!);
                _waiters[next - 1] = null;
            }

            if (Volatile.Read(ref _next) < _count)
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            }
            else if (Interlocked.Decrement(ref _places) == 0)
            {
                _overdue.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                Volatile.Write(ref _rounds._spare, _waiters);
                Volatile.Write(ref _rounds._spareRound, this);
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

    private void WakeHere(T waiter) => wake(waiter, true);
}
