namespace SseKit.Waiting;

/// <summary>
/// An auto-reset event for one waiter, reused for the life of a connection, so that waiting allocates nothing. A signal that comes while
/// nobody waits is kept for the next wait; several collapse into one, so what happened must be looked up by the one who was woken.
/// A field of who is signalled; never copied.
/// </summary>
internal struct AsyncSignalCore
{
    private const int Nothing = 0;
    private const int Signalled = 1;
    private const int Awaited = 2;

    private int _state;

    // How the one goes on who waits: written before it is said that it waits, and left alone until it waits again.
    private Action<object?>? _goOn;
    private object? _waiter;

    /// <summary>Takes the signal, if there is one.</summary>
    public bool TryTake()
    {
        if (Volatile.Read(ref _state) != Signalled)
        {
            return false;
        }

        // Exchanged, so that what the waiter looks at next is read after this is written: see Set.
        Interlocked.Exchange(ref _state, Nothing);
        return true;
    }

    /// <summary>Has the waiter go on with the next signal. One wait at a time.</summary>
    /// <param name="goOn">What it does then.</param>
    /// <param name="waiter">What that is given.</param>
    /// <param name="owner">Calls <see cref="Run"/> on the thread pool.</param>
    public void Wait(Action<object?> goOn, object? waiter, IThreadPoolWorkItem owner)
    {
        var (context, scheduler) = (SynchronizationContext.Current, TaskScheduler.Current);
        (_goOn, _waiter) = context is null && ReferenceEquals(scheduler, TaskScheduler.Default)
            ? (goOn, waiter)
            : (PostedWait.Post, new PostedWait(context, scheduler, goOn, waiter));
        if (!TryGiveBack())
        {
            // The signal was quicker.
            TryTake();
            GoOn(inline: false, owner);
        }
    }

    /// <summary>Wakes the waiter, or the next one to come.</summary>
    /// <param name="inline">
    /// Run the waiter on this thread. Right where an await would have continued here anyway; wrong for a clock or a publisher that has
    /// others to wake.
    /// </param>
    /// <param name="owner">Calls <see cref="Run"/> on the thread pool.</param>
    public void Set(bool inline, IThreadPoolWorkItem owner)
    {
        while (true)
        {
            // Never merely read: a processor may still hold back what the caller has written, and whoever takes the signal that is there would
            // look for it in vain and find no other.
            var state = Volatile.Read(ref _state);
            if (Interlocked.CompareExchange(ref _state, state == Awaited ? Nothing : Signalled, state) == state)
            {
                if (state == Awaited)
                {
                    GoOn(inline, owner);
                }

                return;
            }
        }
    }

    /// <summary>Takes the waiter off, to act in its stead; it is then to be given back, or to be run. False when nobody waits.</summary>
    public bool TryTakeWaiter() => Interlocked.CompareExchange(ref _state, Nothing, Awaited) == Awaited;

    /// <summary>Whether the waiter that was taken may be replaced: not where it has a synchronization context or a task scheduler to go on in.</summary>
    public readonly bool IsReplaceable => _waiter is not PostedWait;

    /// <summary>Gives back a waiter that was taken; false when there has been a signal for it meanwhile.</summary>
    public bool TryGiveBack() => Interlocked.CompareExchange(ref _state, Awaited, Nothing) == Nothing;

    /// <summary>Has the waiter go on that was taken, or whose signal was left to the thread pool.</summary>
    public void Run()
    {
        // Let go of: a signal may be held by something that outlives its last waiter.
        var waiter = _waiter;
        _waiter = null;
        _goOn!(waiter);
    }

    private void GoOn(bool inline, IThreadPoolWorkItem owner)
    {
        if (inline || !IsReplaceable)
        {
            Run();
            return;
        }

        ThreadPool.UnsafeQueueUserWorkItem(owner, preferLocal: true);
    }

    /// <summary>Who waits in a synchronization context, or else on a task scheduler, goes on there.</summary>
    private sealed class PostedWait(SynchronizationContext? context, TaskScheduler scheduler, Action<object?> goOn, object? waiter)
    {
        public static readonly Action<object?> Post = static wait => ((PostedWait)wait!).GoOn();

        private void GoOn()
        {
            if (context is not null)
            {
                context.Post(goOn.Invoke, waiter);
                return;
            }

            _ = Task.Factory.StartNew(goOn, waiter, CancellationToken.None, TaskCreationOptions.DenyChildAttach, scheduler);
        }
    }
}
