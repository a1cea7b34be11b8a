using System.Threading.Tasks.Sources;

namespace SseKit.Waiting;

/// <summary>
/// An auto-reset event for one waiter, reused for the life of a connection, so that waiting allocates nothing. A signal that comes while
/// nobody waits is kept for the next wait; several collapse into one, so what happened must be looked up by the one who was woken.
/// A field of the <see cref="IValueTaskSource"/> that is waited for; never copied.
/// </summary>
internal struct AsyncSignalCore
{
    private const int Idle = 0;
    private const int Signalled = 1;
    private const int Waiting = 2;

    private ManualResetValueTaskSourceCore<bool> _core;
    private int _state;

    /// <summary>Waits for the next signal. One wait at a time.</summary>
    /// <param name="owner">The object that the field belongs to.</param>
    public ValueTask WaitAsync(IValueTaskSource owner)
    {
        if (Volatile.Read(ref _state) != Signalled)
        {
            _core.Reset();
            if (Interlocked.CompareExchange(ref _state, Waiting, Idle) == Idle)
            {
                return new ValueTask(owner, _core.Version);
            }
        }

        // A full fence, as in Set: what is looked at after this must not have been read before it. Else who signals may find the signal still
        // there and leave it at that, while the waiter, which has not seen what was written, goes to sleep.
        Interlocked.Exchange(ref _state, Idle);
        return default;
    }

    /// <summary>Wakes the waiter, or the next one to come.</summary>
    /// <param name="inline">
    /// Run the waiter on this thread. Right where an await would have continued here anyway; wrong for a clock or a publisher that has
    /// others to wake.
    /// </param>
    public void Set(bool inline)
    {
        // What was written before this must be seen by whoever takes the signal, also where an earlier one lies there still: without a fence the
        // processor may look for that one first and write afterwards.
        Interlocked.MemoryBarrier();
        while (true)
        {
            switch (Volatile.Read(ref _state))
            {
                case Signalled:
                    return;
                case Idle when Interlocked.CompareExchange(ref _state, Signalled, Idle) == Idle:
                    return;
                case Waiting when Interlocked.CompareExchange(ref _state, Idle, Waiting) == Waiting:
                    _core.RunContinuationsAsynchronously = !inline;
                    _core.SetResult(true);
                    return;
            }
        }
    }

    public void GetResult(short token) => _core.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
