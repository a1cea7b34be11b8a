using SseKit.Diagnostics;

namespace SseKit.Streaming;

/// <summary>How a stream parts with its source.</summary>
internal sealed partial class EventStream
{
    /// <summary>
    /// Stops the source and disposes of it, but never during a step. A step that looks at no token holds the request, whose response is
    /// complete by then; only the host's stop leaves it behind, after a grace in which it may end with its request's services still there.
    /// </summary>
    private async Task LetGoAsync(FrameSource? source)
    {
        // One by one, each whatever the others do: nothing that fails here may lead to a disposal during a step.
        StopSource();
        if (source is null)
        {
            return;
        }

        if (_stepPending)
        {
            if (!_stepReports)
            {
                ReportWhenDone(_step.GetAwaiter());
            }

            if (_out is not null)
            {
                await QuietlyAsync(CompleteResponseAsync());
            }

            if (!await SourceIsReadyAsync())
            {
                _ = LetGoLaterAsync(source);
                return;
            }

            await QuietlyAsync(_step.AsTask());
        }

        await DisposeAsync(source);
    }

    private void StopSource()
    {
        try
        {
            // Here and not on another thread, which would only be waited for: a seeded scheduler in the tests sees every step.
            _sourceStop.Cancel();
        }
        catch (AggregateException exception)
        {
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
        }
    }

    private async Task LetGoLaterAsync(FrameSource source)
    {
        while (!Has(Wakes.Source))
        {
            await _wake.WaitAsync();
        }

        await QuietlyAsync(_step.AsTask());
        await DisposeAsync(source);
    }

    private async Task DisposeAsync(FrameSource source)
    {
        try
        {
            var disposal = source.DisposeAsync();
            if (!disposal.IsCompleted)
            {
                ReportWhenDone(disposal.GetAwaiter());
                if (!await SourceIsReadyAsync())
                {
                    return;
                }
            }

            await disposal;
        }
        catch (Exception exception)
        {
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
        }
    }

    private async Task QuietlyAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception exception)
        {
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
        }
    }

    /// <summary>Waits for what was asked to report; false when the host's stop can't wait for it any longer.</summary>
    private async ValueTask<bool> SourceIsReadyAsync()
    {
        while (true)
        {
            var wakes = (Wakes)Volatile.Read(ref _wakes);
            if ((wakes & (Wakes.Source | Wakes.StopOverdue)) != 0)
            {
                return (wakes & Wakes.Source) != 0;
            }

            await _wake.WaitAsync();
        }
    }

    private async Task CompleteResponseAsync()
    {
        FlushIsPending();
        try
        {
            await _context.Response.CompleteAsync();
        }
        finally
        {
            Volatile.Write(ref _flushStarted, 0);
        }
    }
}
