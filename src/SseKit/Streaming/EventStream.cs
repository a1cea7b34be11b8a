using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Diagnostics;
using SseKit.Waiting;
using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>
/// One response. Its loop asks the source, writes, flushes when the source has nothing more at hand, and waits: for the source, the keep-alive
/// clock, the client's leaving or the host's stop. Only the loop touches the response, since neither <see cref="HttpContext"/> nor
/// <see cref="PipeWriter"/> is thread-safe; the others merely wake it.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without a timer holds nothing; a source left behind may still look at it.")]
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly", Justification = "A step is kept over the waits for it and its result is taken once.")]
internal sealed class EventStream : KeepAliveMember
{
    [Flags]
    private enum Wakes
    {
        None = 0,
        Source = 1,
        KeepAlive = 2,
        Left = 4,
        Stopping = 8,
        StopOverdue = 16,
    }

    // As much as fills a few of the server's blocks; beyond it a burst only piles up memory.
    private const int FlushAtBytes = 16 * 1024;

    // A source that computes without ever being pending must not hold its events back until a buffer is full.
    private static readonly TimeSpan FlushAfter = TimeSpan.FromMilliseconds(10);

    // What the host's stop waits for a client that does not read or a source that does not end. Real time, whatever clock the app has: a host
    // whose clock is faked must stop as well.
    private static readonly TimeSpan StopGrace = TimeSpan.FromMilliseconds(250);

    private readonly AsyncSignal _wake = new();
    private readonly CancellationTokenSource _sourceStop = new();
    private readonly HttpContext _context;
    private readonly IHttpRequestLifetimeFeature? _lifetime;
    private readonly CancellationToken _left;
    private readonly StreamHost _host;
    private readonly string _path;
    private readonly bool _resumes;
    private readonly long _flushAfter;
    private readonly Action _sourceReady;
    private ITimer? _stopGrace;
    private PipeFrames? _out;
    private ValueTask<bool> _step;
    private int _wakes;
    private bool _stepPending;
    private bool _flushing;

    private EventStream(HttpContext context, StreamHost host)
    {
        _context = context;
        _host = host;
        _left = context.RequestAborted;
        _lifetime = context.Features.Get<IHttpRequestLifetimeFeature>();
        _path = context.Request.Path;
        _resumes = context.Request.GetLastEventId() is not null;
        _flushAfter = (long)(FlushAfter.TotalSeconds * host.Time.TimestampFrequency);
        _sourceReady = () => Wake(Wakes.Source, inline: true);
    }

    /// <summary>
    /// Whether the stream is over, whatever the source still has. The tokens know before they have called here: a source that listens to one
    /// itself is called first, and what it throws then is no failure.
    /// </summary>
    private bool IsOver => _left.IsCancellationRequested || _host.Stopping.IsCancellationRequested || (Volatile.Read(ref _wakes) & (int)(Wakes.Left | Wakes.Stopping)) != 0;

    /// <summary>Sends the stream; completes when the request can be let go.</summary>
    /// <param name="context">The request.</param>
    /// <param name="host">The host.</param>
    /// <param name="keepAlive">The interval, or <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    /// <param name="open">Makes the source, which is to end when its token says so.</param>
    public static async Task RunAsync(HttpContext context, StreamHost host, TimeSpan keepAlive, Func<StreamHost, CancellationToken, FrameSource> open)
    {
        ResponsePreamble.BeforeSource(context);
        if (HttpMethods.IsHead(context.Request.Method))
        {
            ResponsePreamble.Apply(context, host.Logger);
            return;
        }

        var stream = new EventStream(context, host);
        await using var left = stream._left.UnsafeRegister(static stream => ((EventStream)stream!).Wake(Wakes.Left), stream);
        await using var stopping = host.Stopping.UnsafeRegister(static stream => ((EventStream)stream!).Stop(), stream);
        try
        {
            await stream.RunAsync(keepAlive, open);
        }
        finally
        {
            stream._stopGrace?.Dispose();
            if (host.Stopping.IsCancellationRequested)
            {
                CutOffLater(context);
            }
        }
    }

    public override void KeepAliveDue() => Wake(Wakes.KeepAlive);

    private void Wake(Wakes why, bool inline = false)
    {
        Interlocked.Or(ref _wakes, (int)why);
        _wake.Set(inline);
    }

    private void Stop()
    {
        _stopGrace = TimeProvider.System.CreateTimer(
            static stream => ((EventStream)stream!).StopIsOverdue(), this, StopGrace, Timeout.InfiniteTimeSpan);
        Wake(Wakes.Stopping);
    }

    private void StopIsOverdue()
    {
        // Aborting is the one thing that may be done from another thread, and all that ends a flush to a client that does not read.
        if (Volatile.Read(ref _flushing))
        {
            _lifetime?.Abort();
        }

        Wake(Wakes.StopOverdue);
    }

    /// <summary>
    /// The server goes on sending what it has taken over, and a client that does not read would hold up the host's stop with that. On
    /// HTTP/1.1 the connection is this stream's alone, so it is closed in good order after it, and cut off where that takes too long. One of
    /// a later version may carry others.
    /// </summary>
    private static void CutOffLater(HttpContext context)
    {
        if (!HttpProtocol.IsHttp11(context.Request.Protocol)
            || context.Features.Get<IConnectionLifetimeFeature>() is not { } connection
            || context.Features.Get<IConnectionLifetimeNotificationFeature>() is not { } notification)
        {
            return;
        }

        notification.RequestClose();
        _ = CutOffAsync();

        async Task CutOffAsync()
        {
            await Task.Delay(StopGrace, connection.ConnectionClosed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!connection.ConnectionClosed.IsCancellationRequested)
            {
                connection.Abort();
            }
        }
    }

    private async Task RunAsync(TimeSpan keepAlive, Func<StreamHost, CancellationToken, FrameSource> open)
    {
        FrameSource? source = null;
        LastWrite = _host.Time.GetTimestamp();
        var clocked = keepAlive != Timeout.InfiniteTimeSpan;
        if (clocked)
        {
            _host.KeepAlive.Add(this, keepAlive);
        }

        try
        {
            source = open(_host, _sourceStop.Token);
            await PumpAsync(source);
        }
        catch (Exception exception) when (IsOver)
        {
            // The client has left or the host stops: what a source or a write throws then is the echo of it.
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
        }
        catch (Exception exception) when (_out is not null || _resumes || source?.IsTransient(exception) == true)
        {
            await FailAsync(exception);
        }
        finally
        {
            if (clocked)
            {
                _host.KeepAlive.Remove(this, keepAlive);
            }

            await LetGoAsync(source);
        }
    }

    private async Task PumpAsync(FrameSource source)
    {
        var lastFlush = LastWrite;
        while (!IsOver)
        {
            _step = source.MoveNextAsync();
            if (!_step.IsCompleted)
            {
                if (_out is null)
                {
                    await BeginAsync(alone: true);
                    LastWrite = _host.Time.GetTimestamp();
                }
                else if (!await FlushAsync())
                {
                    Wake(Wakes.Left);
                }

                lastFlush = LastWrite;
                if (!_step.IsCompleted && !await WaitForSourceAsync())
                {
                    return;
                }
            }

            if (!_step.Result)
            {
                break;
            }

            if (_out is null)
            {
                // Encoded before the response begins: if that fails, it is still a real HTTP error.
                var first = ScratchFrames.Rent();
                source.Write(first);
                await BeginAsync();
                _out!.Write(first.Written);
                first.Return();
            }
            else
            {
                source.Write(_out);
            }

            if (_out.Unflushed >= FlushAtBytes || _host.Time.GetTimestamp() - lastFlush > _flushAfter)
            {
                if (!await FlushAsync())
                {
                    return;
                }

                lastFlush = LastWrite;
            }
        }

        await BeginAsync();
        await EndAsync();
    }

    /// <summary>Sends the headers on their way: with the first flush, or <paramref name="alone"/> and now.</summary>
    private async ValueTask BeginAsync(bool alone = false)
    {
        if (_out is null)
        {
            ResponsePreamble.Apply(_context, _host.Logger);

            // By the stream: where a middleware has put one around the response, as response compression does, an empty flush of its writer
            // goes nowhere, and once it was started not even an empty flush of the stream would.
            await (alone ? _context.Response.Body.FlushAsync() : _context.Response.StartAsync());
            _out = new PipeFrames(_context.Response.BodyWriter);
        }
    }

    /// <summary>Waits out the pending step, with keep-alives; false when the stream is over first.</summary>
    private async ValueTask<bool> WaitForSourceAsync()
    {
        // What the clock saw before the last flush is no silence.
        Interlocked.And(ref _wakes, ~(int)Wakes.KeepAlive);
        _stepPending = true;
        ReportWhenDone(_step.GetAwaiter());
        while (true)
        {
            await _wake.WaitAsync();
            var wakes = (Wakes)Volatile.Read(ref _wakes);
            if ((wakes & Wakes.Source) != 0)
            {
                _stepPending = false;
                return true;
            }

            if (IsOver)
            {
                return false;
            }

            if ((wakes & Wakes.KeepAlive) != 0)
            {
                Interlocked.And(ref _wakes, ~(int)Wakes.KeepAlive);
                _out!.Write(":\n"u8);
                if (!await FlushAsync())
                {
                    Wake(Wakes.Left);
                }
            }
        }
    }

    private void ReportWhenDone<TAwaiter>(TAwaiter awaiter)
        where TAwaiter : ICriticalNotifyCompletion
    {
        Interlocked.And(ref _wakes, ~(int)Wakes.Source);
        awaiter.UnsafeOnCompleted(_sourceReady);
    }

    /// <summary>Flushes; false when the client is gone.</summary>
    private async ValueTask<bool> FlushAsync()
    {
        try
        {
            Volatile.Write(ref _flushing, true);
            var result = await _out!.FlushAsync();
            LastWrite = _host.Time.GetTimestamp();
            return !result.IsCompleted && !result.IsCanceled;
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // Some servers and wrappers say it this way.
            return false;
        }
        finally
        {
            Volatile.Write(ref _flushing, false);
        }
    }

    /// <summary>
    /// Sends the rest. The server would do it with the end of the response, but a stream that a middleware has put around the response, as the
    /// output cache does, is taken away before that, with all that was not flushed.
    /// </summary>
    private async ValueTask EndAsync()
    {
        if (_out!.Unflushed > 0)
        {
            await FlushAsync();
        }
    }

    /// <summary>A failure in mid-stream: logged here, once, and ended like any stream, since any end makes EventSource come back.</summary>
    private async Task FailAsync(Exception exception)
    {
        Log.StreamFailed(_host.Logger, _path, exception);
        if (_out is null)
        {
            // A status other than 200 would end the client's EventSource for good, and it has been on this stream before.
            await BeginAsync();
            EventFrame.WriteRetry(_out!, _host.Options.ReconnectionInterval * (1 + Random.Shared.NextDouble()));
        }

        await EndAsync();
    }

    /// <summary>
    /// Stops the source and disposes of it, but never during a step. A step that looks at no token holds the request, whose response is
    /// complete by then; only the host's stop leaves it behind, after a grace in which it may end with its request's services still there.
    /// </summary>
    private async Task LetGoAsync(FrameSource? source)
    {
        try
        {
            await _sourceStop.CancelAsync();
            if (_stepPending)
            {
                await CompleteResponseAsync();
                if (!await SourceIsReadyAsync())
                {
                    _ = LetGoLaterAsync(source!);
                    return;
                }

                await _step;
            }
        }
        catch (Exception exception)
        {
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
        }

        if (source is not null)
        {
            await DisposeAsync(source);
        }
    }

    private async Task LetGoLaterAsync(FrameSource source)
    {
        try
        {
            while ((Volatile.Read(ref _wakes) & (int)Wakes.Source) == 0)
            {
                await _wake.WaitAsync();
            }

            await _step;
        }
        catch (Exception exception)
        {
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
        }

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
        Volatile.Write(ref _flushing, true);
        try
        {
            await _context.Response.CompleteAsync();
        }
        finally
        {
            Volatile.Write(ref _flushing, false);
        }
    }
}
