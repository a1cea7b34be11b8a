using SseKit.Diagnostics;
using SseKit.Streaming;
using SseKit.Wire;

namespace SseKit.Watching;

/// <summary>How a stream ends whose app goes on when the host stops.</summary>
internal sealed partial class WatchedStream
{
    // What an app may take to end what it does. Real time, whatever clock the app has: a host whose clock is faked must stop as well.
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(1);

    // What a client may take after that to read the rest.
    private static readonly TimeSpan CutOffGrace = TimeSpan.FromMilliseconds(250);

    private readonly TaskCompletionSource<bool> _leftBehind = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ITimer? _grace;
    private int _stops;
    private volatile bool _overdue;
    private bool _over;
    private bool _entered;

    /// <summary>Whether the app was told to end, so that a cancellation that it ends with is no failure.</summary>
    public bool Stops => Volatile.Read(ref _stops) != 0;

    IDrained? IDrained.Earlier { get; set; }

    IDrained? IDrained.Later { get; set; }

    void IDrained.End(StreamEnd why, SseEvent? last) => stop();

    /// <summary>Takes its place among those that the host's stop ends.</summary>
    public void Enter()
    {
        host.Streams.Enter(this);
        _entered = true;
    }

    /// <summary>Ends a stream that came too late to be told with the others.</summary>
    public void EndIfLate()
    {
        if (host.Stopping.IsCancellationRequested)
        {
            stop();
        }
    }

    /// <summary>Tells the app that it is to end, and ends without it where it does not; whether it had to.</summary>
    public Task<bool> StopAsync()
    {
        if (Interlocked.Exchange(ref _stops, 1) != 0)
        {
            return Task.FromResult(false);
        }

        _grace = TimeProvider.System.CreateTimer(static stream => ((WatchedStream)stream!).StopIsOverdue(), this, StopGrace, Timeout.InfiniteTimeSpan);
        try
        {
            end.Stop();
        }
        catch (AggregateException exception)
        {
            Log.SourceFailedAfterEnd(host.Logger, _path, exception);
        }

        return _leftBehind.Task;
    }

    /// <summary>Whether the app did not end in time: what it throws from now on comes of that.</summary>
    public bool EndsWithoutApp => _overdue;

    /// <summary>Tells what an app ended with whose stream had ended before.</summary>
    public void NoteFailure(Exception? exception)
    {
        if (exception is not null)
        {
            Log.SourceFailedAfterEnd(host.Logger, _path, exception);
        }
    }

    /// <summary>No more keep-alives; one that is under way is waited for, since the server goes on with the response after this.</summary>
    public async ValueTask EndAsync()
    {
        await _gate.WaitAsync(CancellationToken.None);
        try
        {
            if (!_over && Stops && _begun && _boundary.IsHere && !end.HasLeft)
            {
                await SayGoodbyeAsync();
            }
        }
        catch (Exception exception)
        {
            Log.SourceFailedAfterEnd(host.Logger, _path, exception);
        }
        finally
        {
            Leave();
            _gate.Release();
        }
    }

    private async ValueTask SayGoodbyeAsync()
    {
        var frames = ScratchFrames.Rent();
        EventHead.WriteRetry(frames, host.TimeAway(stopping: true));
        await inner.Stream.WriteAsync(frames.ReturnAsArray());
        await inner.Stream.FlushAsync();
    }

    private void Leave()
    {
        _ended = true;
        if (_clocked)
        {
            _clocked = false;
            host.KeepAlive.Remove(this, interval);
        }

        if (_over)
        {
            return;
        }

        _over = true;
        if (!_overdue)
        {
            _grace?.Dispose();
        }

        if (_entered)
        {
            host.Streams.Leave(this);
        }

        if (_begun && host.Stopping.IsCancellationRequested)
        {
            StopCutOff.Later(context, CutOffGrace);
        }
    }

    private void StopIsOverdue()
    {
        if (!_overdue)
        {
            _overdue = true;
            _grace!.Change(CutOffGrace, Timeout.InfiniteTimeSpan);
            _ = EndWithoutAppAsync();
        }
        else
        {
            // All that ends a write to a client that does not read.
            end.Inner.Abort();
        }
    }

    private async Task EndWithoutAppAsync()
    {
        try
        {
            await EndAsync();
            await inner.CompleteAsync();
        }
        catch (Exception exception)
        {
            Log.SourceFailedAfterEnd(host.Logger, _path, exception);
        }
        finally
        {
            _grace!.Dispose();
            _leftBehind.SetResult(true);
        }
    }
}
