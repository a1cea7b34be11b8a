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

        // It is signalled. Exchanged, so that what the waiter looks at next is read after this is written: see Set.
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
        while (true)
        {
            switch (Volatile.Read(ref _state))
            {
                // Not merely read: a processor may still hold back what the caller has written, and whoever takes the signal that is there would
                // look for it in vain and find no other.
                case Signalled when Interlocked.CompareExchange(ref _state, Signalled, Signalled) == Signalled:
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
