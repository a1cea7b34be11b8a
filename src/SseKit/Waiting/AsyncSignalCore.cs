namespace SseKit.Waiting;

/// <summary>
/// An auto-reset event for one waiter, reused for the life of a connection, so that waiting allocates nothing. A signal that comes while
/// nobody waits is kept for the next wait; several collapse into one, so what happened must be looked up by the one who was woken.
/// A field of who is signalled; never copied.
/// </summary>
/// <remarks>
/// The continuation itself is the state, and goes on without a task or a token in between: for a source that waits before every event this is
/// a good part of what an event costs.
/// </remarks>
internal struct AsyncSignalCore
{
    private static readonly Action Signalled = static () => { };

    // Null: nobody waits, and there is no signal. Else the mark of a signal, or how the one goes on who waits.
    private Action? _state;
    private Action? _queued;

    /// <summary>Takes the signal, if there is one.</summary>
    public bool TryTake()
    {
        if (!ReferenceEquals(Volatile.Read(ref _state), Signalled))
        {
            return false;
        }

        // Exchanged, so that what the waiter looks at next is read after this is written: see Set.
        Interlocked.Exchange(ref _state, null);
        return true;
    }

    /// <summary>Has the waiter go on with the next signal. One wait at a time.</summary>
    /// <param name="goOn">What it does then.</param>
    /// <param name="owner">Calls <see cref="RunQueued"/> on the thread pool.</param>
    public void Wait(Action goOn, IThreadPoolWorkItem owner)
    {
        var (context, scheduler) = (SynchronizationContext.Current, TaskScheduler.Current);
        var waiter = context is null && ReferenceEquals(scheduler, TaskScheduler.Default) ? goOn : new PostedWait(context, scheduler, goOn).Post;
        if (Interlocked.CompareExchange(ref _state, waiter, null) is not null)
        {
            // The signal was quicker.
            TryTake();
            GoOn(waiter, inline: false, owner);
        }
    }

    /// <summary>Wakes the waiter, or the next one to come.</summary>
    /// <param name="inline">
    /// Run the waiter on this thread. Right where an await would have continued here anyway; wrong for a clock or a publisher that has
    /// others to wake.
    /// </param>
    /// <param name="owner">Calls <see cref="RunQueued"/> on the thread pool.</param>
    public void Set(bool inline, IThreadPoolWorkItem owner)
    {
        while (true)
        {
            // Never merely read: a processor may still hold back what the caller has written, and whoever takes the signal that is there would
            // look for it in vain and find no other.
            var waiter = Volatile.Read(ref _state);
            var next = waiter is null || ReferenceEquals(waiter, Signalled) ? Signalled : null;
            if (ReferenceEquals(Interlocked.CompareExchange(ref _state, next, waiter), waiter))
            {
                if (next is null)
                {
                    GoOn(waiter!, inline, owner);
                }

                return;
            }
        }
    }

    /// <summary>
    /// Takes the waiter off, to act in its stead; null when there is nobody who may be replaced. It is then to be given back, or to be run.
    /// </summary>
    public Action? TakeWaiter()
    {
        var waiter = Volatile.Read(ref _state);
        return waiter is not null && !ReferenceEquals(waiter, Signalled) && waiter.Target is not PostedWait
            && ReferenceEquals(Interlocked.CompareExchange(ref _state, null, waiter), waiter) ? waiter : null;
    }

    /// <summary>Gives back a waiter that was taken; false when there has been a signal for it meanwhile.</summary>
    public bool TryGiveBack(Action waiter) => Interlocked.CompareExchange(ref _state, waiter, null) is null;

    /// <summary>Goes on where a signal was set that left this to the thread pool.</summary>
    public void RunQueued()
    {
        var waiter = _queued!;
        _queued = null;
        waiter();
    }

    private void GoOn(Action waiter, bool inline, IThreadPoolWorkItem owner)
    {
        if (inline || waiter.Target is PostedWait)
        {
            waiter();
            return;
        }

        _queued = waiter;
        ThreadPool.UnsafeQueueUserWorkItem(owner, preferLocal: true);
    }

    /// <summary>Who waits in a synchronization context, or else on a task scheduler, goes on there.</summary>
    private sealed class PostedWait(SynchronizationContext? context, TaskScheduler scheduler, Action goOn)
    {
        public void Post()
        {
            if (context is not null)
            {
                context.Post(static goOn => ((Action)goOn!)(), goOn);
                return;
            }

            _ = Task.Factory.StartNew(goOn, CancellationToken.None, TaskCreationOptions.DenyChildAttach, scheduler);
        }
    }
}
