using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace SseKit.Streaming;

/// <summary>When a stream's bytes are handed to the server, and what it knows of the time by that.</summary>
internal sealed partial class EventStream
{
    private bool IsFlushDue() => Now() - LastWrite > _host.FlushAfter;

    /// <summary>
    /// The time, give or take a few milliseconds. The precise clock costs a quarter of what a small event does: the system's is asked when the
    /// coarse one, which moves every few milliseconds, has.
    /// </summary>
    private long Now()
    {
        if (!ReferenceEquals(_host.Time, TimeProvider.System))
        {
            return _host.Time.GetTimestamp();
        }

        var coarse = Environment.TickCount64;
        if (coarse != _coarseTime)
        {
            (_coarseTime, _now) = (coarse, _host.Time.GetTimestamp());
        }

        return _now;
    }

    /// <summary>Flushes, unless <paramref name="flush"/> has to be awaited, and heeded, for that.</summary>
    private bool TryFlush(out ValueTask<bool> flush)
    {
        flush = FlushAsync();
        if (!flush.IsCompletedSuccessfully)
        {
            return false;
        }

        Heed(flush.Result);
        return true;
    }

    private void Heed(bool isThere)
    {
        if (!isThere)
        {
            Wake(Wakes.Left);
        }
    }

    /// <summary>Flushes; false when the client is gone.</summary>
    private ValueTask<bool> FlushAsync()
    {
        if (_host.Metrics.CountsBytes)
        {
            _host.Metrics.Flushing(Route, _out!.Unflushed);
        }

        var began = _host.Metrics.TimesFlushes ? _host.Time.GetTimestamp() : 0;
        try
        {
            var flush = _out!.FlushAsync();
            return flush.IsCompletedSuccessfully ? new(HasFlushed(flush.Result, began)) : WaitForFlushAsync(flush, began);
        }
        catch (Exception exception) when (IsOfLeaving(exception))
        {
            return new(false);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> WaitForFlushAsync(ValueTask<FlushResult> flush, long began)
    {
        FlushIsPending();
        try
        {
            return HasFlushed(await flush, began);
        }
        catch (Exception exception) when (IsOfLeaving(exception))
        {
            return false;
        }
        finally
        {
            FlushIsOver();
        }
    }

    // Some servers and wrappers say it this way.
    private static bool IsOfLeaving(Exception exception) => exception is IOException or OperationCanceledException;

    private bool HasFlushed(FlushResult result, long began)
    {
        LastWrite = Now();

        // What the clock saw before this flush is no silence. Only a flush says so: a source may have nothing to send again and again.
        if (Has(Wakes.KeepAlive))
        {
            Clear(Wakes.KeepAlive);
        }

        if (began != 0)
        {
            _host.Metrics.Flushed(Route, _host.Time.GetElapsedTime(began));
        }

        return !result.IsCompleted && !result.IsCanceled;
    }

    private void FlushIsPending()
    {
        _host.Streams.WaitBegins();
        Interlocked.Exchange(ref _flushStarted, Math.Max(1, _host.Time.GetTimestamp()));
        if (Has(Wakes.StopOverdue))
        {
            // The app was busy while the grace of the stop ran out.
            _stopGrace?.Change(StopGrace, Timeout.InfiniteTimeSpan);
        }
    }

    private void FlushIsOver()
    {
        Volatile.Write(ref _flushStarted, 0);
        _host.Streams.WaitEnds();
    }

    /// <summary>The last flush. It can't be left to the server: where a middleware put its own stream into the response, nobody completes the pipe over it.</summary>
    private async ValueTask FlushRestAsync()
    {
        if (_out!.Unflushed > 0)
        {
            await FlushAsync();
        }
    }
}
