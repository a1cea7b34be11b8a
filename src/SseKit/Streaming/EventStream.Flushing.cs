using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace SseKit.Streaming;

/// <summary>When a stream's bytes are handed to the server, and what it knows of the time by that.</summary>
internal sealed partial class EventStream
{
    private bool IsFlushDue() => _host.Now() - LastWrite > _host.FlushAfter;

    /// <summary>Flushes, unless <paramref name="flush"/> has to be awaited for that.</summary>
    private bool TryFlush(out ValueTask flush)
    {
        flush = FlushAsync();
        if (!flush.IsCompletedSuccessfully)
        {
            return false;
        }

        flush.GetAwaiter().GetResult();
        return true;
    }

    /// <summary>Flushes, and notes if the client is gone.</summary>
    private ValueTask FlushAsync()
    {
        if (_host.Metrics.CountsBytes)
        {
            _host.Metrics.Flushing(Route, Out.Unflushed);
        }

        var began = _host.Metrics.TimesFlushes ? _host.Time.GetTimestamp() : 0;
        try
        {
            var flush = Out.FlushAsync();
            if (!flush.IsCompletedSuccessfully)
            {
                return WaitForFlushAsync(flush, began);
            }

            HasFlushed(flush.Result, began);
        }
        catch (Exception exception) when (IsOfLeaving(exception))
        {
            Wake(Wakes.Left);
        }

        return default;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WaitForFlushAsync(ValueTask<FlushResult> flush, long began)
    {
        FlushIsPending();
        try
        {
            HasFlushed(await flush, began);
        }
        catch (Exception exception) when (IsOfLeaving(exception))
        {
            Wake(Wakes.Left);
        }
        finally
        {
            FlushIsOver();
        }
    }

    // Some servers and wrappers say it this way.
    private static bool IsOfLeaving(Exception exception) => exception is IOException or OperationCanceledException;

    private void HasFlushed(FlushResult result, long began)
    {
        LastWrite = _host.Now();

        // What the clock saw before this flush is no silence. Only a flush says so: a source may have nothing to send again and again.
        if (Has(Wakes.KeepAlive))
        {
            Clear(Wakes.KeepAlive);
        }

        if (began != 0)
        {
            _host.Metrics.Flushed(Route, _host.Time.GetElapsedTime(began));
        }

        if (result.IsCompleted || result.IsCanceled)
        {
            Wake(Wakes.Left);
        }
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

    /// <summary>Lets the other streams of this thread have what frames are written with, once all are flushed.</summary>
    private void ReturnOut()
    {
        _out?.Return();
        _out = null;
    }

    /// <summary>The last flush. It can't be left to the server: where a middleware put its own stream into the response, nobody completes the pipe over it.</summary>
    private async ValueTask FlushRestAsync()
    {
        if (_out?.Unflushed > 0)
        {
            await FlushAsync();
        }

        ReturnOut();
    }
}
