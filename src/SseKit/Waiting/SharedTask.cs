namespace SseKit.Waiting;

/// <summary>Waits for a task that others wait for as well, no longer than a token says, without leaving the caller's synchronization context.</summary>
internal static class SharedTask
{
    public static async ValueTask<T> WaitAsync<T>(Task<T> task, CancellationToken cancellationToken)
    {
        if (!task.IsCompleted)
        {
            var wake = new AsyncSignal();
            using var cancelled = wake.SetWhen(cancellationToken);
            task.GetAwaiter().UnsafeOnCompleted(() => wake.Set());
            await wake.WaitAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }

        return await task;
    }
}
