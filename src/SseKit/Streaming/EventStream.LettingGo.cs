using System.Diagnostics.CodeAnalysis;
using SseKit.Diagnostics;
using SseKit.Topics;

namespace SseKit.Streaming;

/// <summary>How a stream parts with its source.</summary>
internal sealed partial class EventStream
{
    /// <summary>
    /// Stops the source and disposes of it, but never during a step. A step that looks at no token holds the request, whose response is
    /// complete by then; only the host's stop leaves it behind, after a grace in which it may end with its request's services still there.
    /// </summary>
    private async ValueTask LetGoAsync(FrameSource? source)
    {
        // One by one, each whatever the others do: nothing that fails here may lead to a disposal during a step.
        StopSource();
        if (source is null)
        {
            return;
        }

        if (source.IsBusy && source.TryWait(this))
        {
            if (_pipe is not null)
            {
                await QuietlyAsync(CompleteResponseAsync());
            }

            while (source.TryWait(this))
            {
                if (Has(Wakes.StopOverdue))
                {
                    _ = LetGoLaterAsync(source);
                    return;
                }

                await SignalAsync();
            }
        }

        TakeStep(source);
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
        while (source.TryWait(this))
        {
            await SignalAsync();
        }

        TakeStep(source);
        await DisposeAsync(source);
    }

    /// <summary>Takes the result of the step that was under way: what it failed with is to be heard of.</summary>
    private void TakeStep(FrameSource source)
    {
        if (!source.IsBusy)
        {
            return;
        }

        try
        {
            source.MoveNext();
        }
        catch (Exception exception)
        {
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
        }
    }

    [SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly", Justification = "It tells when it is over, and its result is taken once, after that.")]
    private async ValueTask DisposeAsync(FrameSource source)
    {
        try
        {
            var disposal = source.DisposeAsync();
            if (!disposal.IsCompleted)
            {
                disposal.GetAwaiter().UnsafeOnCompleted(() => _wake.Set(inline: true, this));
                while (!disposal.IsCompleted)
                {
                    if (Has(Wakes.StopOverdue))
                    {
                        return;
                    }

                    await SignalAsync();
                }
            }

            await disposal;
        }
        catch (Exception exception)
        {
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
        }
    }

    private async ValueTask QuietlyAsync(ValueTask task)
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

    private async ValueTask CompleteResponseAsync()
    {
        FlushIsPending();
        try
        {
            await _context.Response.CompleteAsync();
        }
        finally
        {
            FlushIsOver();
        }
    }
}
