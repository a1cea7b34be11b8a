namespace SseKit.Tests.Topics;

/// <summary>A synchronization context or a task scheduler that lets one thing begin and is busy from then on: nothing goes on there.</summary>
internal static class BusyPlace
{
    /// <summary>Has something begin there.</summary>
    /// <param name="onScheduler">On a task scheduler; else in a synchronization context.</param>
    /// <param name="begin">What begins.</param>
    public static void Begin(bool onScheduler, Action begin)
    {
        if (onScheduler)
        {
            Task.Factory.StartNew(begin, CancellationToken.None, TaskCreationOptions.None, new Scheduler()).GetAwaiter().GetResult();
            return;
        }

        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new Context());
        try
        {
            begin();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private sealed class Context : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }
    }

    private sealed class Scheduler : TaskScheduler
    {
        private int _tasks;

        protected override void QueueTask(Task task)
        {
            if (Interlocked.Increment(ref _tasks) == 1)
            {
                TryExecuteTask(task);
            }
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}
