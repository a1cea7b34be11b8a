namespace SseKit.Waiting;

/// <summary>
/// Work that many wait for, begun by one of them: it goes on in nobody's synchronization context and on nobody's task scheduler. Whoever is busy
/// in its own, as a Blazor circuit or an actor may be, would hold up all the others.
/// </summary>
internal static class SharedWork
{
    /// <summary>Begins the work here if it goes on in nobody's from here, and on the thread pool if not.</summary>
    /// <param name="work">The work.</param>
    /// <param name="state">What that is given.</param>
    /// <param name="nobodys">The synchronization context that is nobody's; in an app there is none.</param>
    public static void Start<T>(Action<T> work, T state, SynchronizationContext? nobodys)
    {
        if (ReferenceEquals(SynchronizationContext.Current, nobodys) && ReferenceEquals(TaskScheduler.Current, TaskScheduler.Default))
        {
            work(state);
            return;
        }

        ThreadPool.QueueUserWorkItem(work, state, preferLocal: false);
    }
}
