using SseKit.Topics;

namespace SseKit.Tests.Producing;

/// <summary>A node's way to a store that it shares with others. It can be held up, as for a process that stands still, and can fail.</summary>
internal sealed class RemoteStore(InMemoryBacklog store) : ISseBacklog, ISseLeases
{
    /// <summary>What is at its end. Another one: the store was wiped.</summary>
    public InMemoryBacklog Store { get; set; } = store;

    private TaskCompletionSource _open = Opened();

    /// <summary>What every call throws; null for none.</summary>
    public Exception? Failure { get; set; }

    /// <summary>How many appends and acquisitions throw after their effect: the answer is lost.</summary>
    public int AnswersLost { get; set; }

    /// <summary>From now on nothing gets through.</summary>
    public void StandStill() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What was held up gets through.</summary>
    public void GoOn() => _open.SetResult();

    public async ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken)
    {
        await PassAsync();
        var entry = await Store.AppendAsync(topic, append, cancellationToken);
        return LosesAnswer() ? throw new SseUnknownOutcomeException(topic, null) : entry;
    }

    public async ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken)
    {
        await PassAsync();
        return await Store.ReadAsync(topic, after, max, cancellationToken);
    }

    public async ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken)
    {
        await PassAsync();
        return await Store.WatchAsync(topic, grown, cancellationToken);
    }

    public async ValueTask<SseLease> AcquireAsync(string topic, SseLeaseTerms terms, CancellationToken cancellationToken)
    {
        await PassAsync();
        var lease = await Store.AcquireAsync(topic, terms, cancellationToken);
        return LosesAnswer() ? throw new TimeoutException() : lease;
    }

    public async ValueTask<SseLease> RenewAsync(string topic, long fence, TimeSpan duration, CancellationToken cancellationToken)
    {
        await PassAsync();
        return await Store.RenewAsync(topic, fence, duration, cancellationToken);
    }

    public async ValueTask<SseLease> AttendAsync(string topic, string node, TimeSpan duration, CancellationToken cancellationToken)
    {
        await PassAsync();
        return await Store.AttendAsync(topic, node, duration, cancellationToken);
    }

    public async ValueTask<SseLease> StopAsync(string topic, CancellationToken cancellationToken)
    {
        await PassAsync();
        return await Store.StopAsync(topic, cancellationToken);
    }

    public async ValueTask<SseLease> ReleaseAsync(string topic, long fence, CancellationToken cancellationToken)
    {
        await PassAsync();
        return await Store.ReleaseAsync(topic, fence, cancellationToken);
    }

    public async ValueTask<SseLease> FindAsync(string topic, CancellationToken cancellationToken)
    {
        await PassAsync();
        return await Store.FindAsync(topic, cancellationToken);
    }

    private static TaskCompletionSource Opened()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }

    private bool LosesAnswer() => AnswersLost > 0 && AnswersLost-- > 0;

    private async Task PassAsync()
    {
        await _open.Task;
        if (Failure is not null)
        {
            throw Failure;
        }
    }
}
