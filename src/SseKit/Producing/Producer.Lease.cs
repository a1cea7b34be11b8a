using SseKit.Diagnostics;

namespace SseKit.Producing;

/// <summary>What a producer has to do with the store: publishing under its lease, keeping it, and giving it up.</summary>
internal sealed partial class Producer
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(250);

    private int _renewing;
    private bool _wasAttended;

    /// <summary>Keeps the lease, and hears what was decided elsewhere.</summary>
    public async Task RenewAsync()
    {
        if (Why != Verdict.None || Interlocked.Exchange(ref _renewing, 1) != 0)
        {
            return;
        }

        try
        {
            Heed(await host.Leases.RenewAsync(Topic, fence, host.Term, CancellationToken.None));
        }
        catch (Exception exception)
        {
            // The store is away. Whether the lease is lost with it is seen when it is back.
            Log.LeaseFailed(host.Logger, Topic, exception);
        }
        finally
        {
            Volatile.Write(ref _renewing, 0);
        }
    }

    /// <summary>Decides whether it goes on where its readers have left.</summary>
    /// <param name="unattended">For how long nobody has read it, on any node; null while somebody does.</param>
    public void HeedReaders(TimeSpan? unattended)
    {
        if (unattended is null || host.HasReaders(Topic))
        {
            _wasAttended = true;
            return;
        }

        // When the host stops it sends the readers away itself: they come back elsewhere.
        if (host.IsStopping)
        {
            return;
        }

        if (plan.Options.OnDisconnect == SseDisconnect.Cancel && _wasAttended)
        {
            End(Verdict.Cancelled);
        }
        else if (plan.Options.OnDisconnect != SseDisconnect.Continue && unattended >= plan.Options.AbandonAfter)
        {
            End(Verdict.Abandoned);
        }
    }

    private void Heed(SseLease lease)
    {
        if (lease.Fence != fence || lease.State != SseProducerState.Running)
        {
            End(Verdict.Fenced);
        }
        else if (lease.StopRequested)
        {
            End(Verdict.Cancelled);
        }
        else
        {
            HeedReaders(lease.Unattended);
        }
    }

    /// <summary>
    /// Publishes, however long the store is away: the source waits for it. Alone under its lease, it sees afterwards what became of an attempt
    /// whose answer was lost.
    /// </summary>
    private async ValueTask PublishAsync(SseEvent item, SseProducerState? outcome)
    {
        for (var attempt = 1; ; attempt++)
        {
            var publish = host.Topics.ProduceAsync(Topic, item, fence, outcome, out var length);
            try
            {
                soFar.Add(await publish, length);
                return;
            }
            catch (SseFencedException)
            {
                await HeedFenceAsync();
                return;
            }
            catch (Exception exception)
            {
                if (attempt == 1)
                {
                    Log.ProducerWaits(host.Logger, Topic, exception);
                }
            }

            (bool Looked, string? Id) stored;
            do
            {
                if (!await PauseAsync() || (outcome is null && Why != Verdict.None))
                {
                    return;
                }

                stored = await TryFindNextAsync();
            }
            while (!stored.Looked);

            if (stored.Id is not null)
            {
                soFar.Add(stored.Id, length);
                return;
            }
        }
    }

    private Task EndAsync(SseProducerState outcome, string? message) =>
        PublishAsync(EndEvent.Of(host.Options.EndEventType, outcome, message), outcome).AsTask();

    private async Task ReleaseAsync()
    {
        try
        {
            await host.Leases.ReleaseAsync(Topic, fence, CancellationToken.None);
        }
        catch (Exception exception)
        {
            Log.LeaseFailed(host.Logger, Topic, exception);
        }
    }

    /// <summary>Refused: it was stopped, or the topic is another's.</summary>
    private async ValueTask HeedFenceAsync()
    {
        while (Why == Verdict.None)
        {
            try
            {
                Heed(await host.Leases.RenewAsync(Topic, fence, host.Term, CancellationToken.None));

                // Still its own and not to stop: what refused it was of a moment that the store has lost since.
                End(Verdict.Fenced);
            }
            catch (Exception exception)
            {
                Log.LeaseFailed(host.Logger, Topic, exception);
                await PauseAsync();
            }
        }
    }

    /// <summary>The event after the newest that it knows of: none but its own can be there.</summary>
    private async ValueTask<(bool Looked, string? Id)> TryFindNextAsync()
    {
        try
        {
            var slice = await host.Backlog.ReadAsync(Topic, soFar.LastId, max: 1, CancellationToken.None);
            return slice.Entries.Count > 0 && (soFar.LastId is null || slice.Entries[0].PreviousId == soFar.LastId)
                ? (true, slice.Entries[0].Id)
                : (true, null);
        }
        catch (Exception exception)
        {
            Log.LeaseFailed(host.Logger, Topic, exception);
            return (false, null);
        }
    }

    /// <summary>Waits before the next attempt; false where there is none, because the host is gone.</summary>
    private async ValueTask<bool> PauseAsync()
    {
        await Task.Delay(RetryAfter, host.Time, host.Closed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (host.Closed.IsCancellationRequested)
        {
            End(Verdict.Interrupted);
            return false;
        }

        return true;
    }
}
