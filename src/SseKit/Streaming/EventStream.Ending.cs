using SseKit.Diagnostics;
using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>How a stream ends that neither its source nor its client has ended, and what its client is told then.</summary>
internal sealed partial class EventStream
{
    public void End(StreamEnd why, SseEvent? last)
    {
        if (why != StreamEnd.Stopping)
        {
            if (last is { } item)
            {
                // Before the wake-up, which the loop may see at any moment; and boxed, for a struct could be read half-written.
                Interlocked.CompareExchange(ref _last, item, null);
            }

            Wake(why == StreamEnd.Aged ? Wakes.Ended | Wakes.Aged : Wakes.Ended);
        }
        else if ((Interlocked.Or(ref _wakes, (int)Wakes.Stopping) & (int)Wakes.Stopping) == 0)
        {
            _stopGrace = TimeProvider.System.CreateTimer(
                static stream => ((EventStream)stream!).StopIsOverdue(), this, StopGrace, Timeout.InfiniteTimeSpan);
            _wake.Set(inline: false, this);
        }
    }

    public void CheckTime(long now)
    {
        if (IsStalled(now))
        {
            Log.ClientStalled(_host.Logger, _path, _host.Options.WriteTimeout);
            Interlocked.Or(ref _wakes, (int)Wakes.Stalled);
            _lifetime?.Abort();
        }
        else if (now >= Expires)
        {
            // Else it was found stalled, and its client has read since.
            End(StreamEnd.Aged, last: null);
        }
    }

    public bool IsStalled(long now) =>
        Volatile.Read(ref _flushStarted) is var started && started != 0
        && _host.Options.WriteTimeout != Timeout.InfiniteTimeSpan
        && _host.Time.GetElapsedTime(started, now) > _host.Options.WriteTimeout;

    private void StopIsOverdue()
    {
        // Said before it is looked: a flush that begins now either is seen here or sees it.
        Wake(Wakes.StopOverdue);

        // Aborting is the one thing that may be done from another thread, and all that ends a flush to a client that does not read.
        if (Volatile.Read(ref _flushStarted) != 0)
        {
            _lifetime?.Abort();
        }
    }

    /// <summary>A failure in mid-stream: logged here, once, and ended like any stream, since any end makes EventSource come back.</summary>
    private async ValueTask FailAsync(Exception exception)
    {
        Log.StreamFailed(_host.Logger, _path, exception);
        if (_pipe is null || _source?.IsTransient(exception) == true)
        {
            // A status other than 200 would end the client's EventSource for good, and it has been on this stream before. Where the store has
            // failed all its clients come back: not at once.
            await BeginAsync();
            EventHead.WriteRetry(Out, _host.TimeAway(stopping: false));
        }

        try
        {
            WriteLast(_settings.OnError?.Invoke(_context, exception));
        }
        catch (Exception hookException)
        {
            Log.HookFailed(_host.Logger, _path, hookException);
        }

        await FlushRestAsync();
    }

    /// <summary>The answer to who can't be let in: it has to be 200, and an end, for its EventSource to try again.</summary>
    private async Task SendAwayAsync(bool stopping)
    {
        Log.StreamRefused(_host.Logger, _path, stopping ? "the app stops" : "a limit is reached");
        _host.Metrics.Refused(Route, stopping ? "stopping" : "limit");
        Interlocked.Or(ref _wakes, (int)(stopping ? Wakes.Stopping : Wakes.Ended));
        await SayGoodbyeAsync(away: true);
    }

    /// <summary>What a stream ends with that is ended from outside.</summary>
    private async ValueTask SayGoodbyeAsync(bool away = false)
    {
        if (HasLeft)
        {
            return;
        }

        await BeginAsync();
        if (away || Stops)
        {
            EventHead.WriteRetry(Out, _host.TimeAway(Stops));
        }

        WriteLast(Volatile.Read(ref _last) as SseEvent? ?? (Stops ? _host.Options.DrainEvent : null));
        await FlushRestAsync();
    }

    private void WriteLast(SseEvent? last)
    {
        if (last is { } item)
        {
            EventFrame.Write(Out, item, _host.Json);
            _host.Metrics.Sent(Route, item.IsComment ? 0 : 1);
        }
    }
}
