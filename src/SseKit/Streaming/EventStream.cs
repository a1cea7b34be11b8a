using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using SseKit.Diagnostics;
using SseKit.Topics;
using SseKit.Waiting;
using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>
/// One response. Its loop asks the source, writes, flushes when the source has nothing more at hand, and waits: for the source, the keep-alive
/// clock, the client's leaving or the host's stop. Only the loop touches the response, since neither <see cref="HttpContext"/> nor
/// <see cref="PipeWriter"/> is thread-safe; the others merely wake it.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without a timer holds nothing; a source left behind may still look at it.")]
internal sealed partial class EventStream : KeepAliveMember, IOpenStream, IWakeable, ISignalled
{
    [Flags]
    private enum Wakes
    {
        None = 0,
        KeepAlive = 1,
        Left = 2,
        Ended = 4,
        Stopping = 8,
        StopOverdue = 16,

        // These wake nobody; they say more of why it ended.
        Aged = 32,
        Stalled = 64,
    }

    private const string Failed = "failed";

    // Each flush wakes the thread that sends, which costs more than a few events do. A little less than the server lets wait (64 KiB in
    // Kestrel), so that the next is encoded while one is sent.
    private const int FlushAtBytes = 60 * 1024;

    // What the host's stop waits for a client that does not read or a source that does not end. Real time, whatever clock the app has: a host
    // whose clock is faked must stop as well.
    private static readonly TimeSpan StopGrace = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _sourceStop = new();
    private readonly HttpContext _context;
    private readonly IHttpRequestLifetimeFeature? _lifetime;
    private readonly CancellationToken _left;
    private readonly StreamHost _host;
    private readonly StreamSettings _settings;
    private readonly string _path;
    private readonly bool _resumes;
    private ITimer? _stopGrace;
    private MinDataRate? _serverRate;
    private FrameSource? _source;
    private PipeWriter? _pipe;
    private PipeFrames? _out;
    private AsyncSignalCore _wake;
    private int _wakes;
    private long _flushStarted;
    private object? _last;
    private bool _sourceIsReady;

    private EventStream(HttpContext context, StreamHost host, StreamSettings settings)
    {
        _context = context;
        _host = host;
        _settings = settings;
        Key = host.Options.ConnectionKey?.Invoke(context);
        LastWrite = host.Time.GetTimestamp();
        Expires = StreamAge.ExpiresAt(context, host, LastWrite);
        _left = context.RequestAborted;
        _lifetime = context.Features.Get<IHttpRequestLifetimeFeature>();
        _path = context.Request.Path;
        _resumes = context.Request.GetLastEventId() is not null;
    }

    /// <summary>
    /// Whether the stream is over, whatever the source still has. The client's token knows before it has called here: a source that listens to
    /// it itself may be called first.
    /// </summary>
    private bool IsOver => _left.IsCancellationRequested || Has(Wakes.Left | Wakes.Ended | Wakes.Stopping);

    /// <summary>Whether it is over or about to be: what a source throws then is the echo of a token that it listens to, and no failure.</summary>
    private bool IsEnding => IsOver || _host.Stopping.IsCancellationRequested;

    private bool HasLeft => _left.IsCancellationRequested || Has(Wakes.Left);

    private bool Stops => Has(Wakes.Stopping) || _host.Stopping.IsCancellationRequested;

    public string? Key { get; }

    IDrained? IDrained.Earlier { get; set; }

    IDrained? IDrained.Later { get; set; }

    public long Expires { get; }

    ref AsyncSignalCore ISignalled.Signal => ref _wake;

    /// <summary>Where frames are written, once the response has begun.</summary>
    private PipeFrames Out => _out ??= PipeFrames.Rent(_pipe!);

    private string? Route => _context.GetEndpoint()?.Metadata.GetMetadata<IRouteDiagnosticsMetadata>()?.Route;

    private string EndReason =>
        Has(Wakes.Stalled) ? "stalled"
        : Stops ? "stopping"
        : HasLeft ? "left"
        : Has(Wakes.Aged) ? "aged"
        : Has(Wakes.Ended) ? "ended"
        : "completed";

    /// <summary>Sends the stream; completes when the request can be let go.</summary>
    /// <param name="context">The request.</param>
    /// <param name="host">The host.</param>
    /// <param name="settings">What its endpoint and its result have chosen.</param>
    /// <param name="open">Makes the source, which is to end when its token says so.</param>
    public static Task RunAsync(
        HttpContext context, StreamHost host, StreamSettings settings, Func<StreamHost, CancellationToken, FrameSource> open)
    {
        OwnStream.Announce(context, host);
        ResponsePreamble.BeforeSource(context);
        if (HttpMethods.IsHead(context.Request.Method))
        {
            ResponsePreamble.Apply(context, host);
            return Task.CompletedTask;
        }

        var stream = new EventStream(context, host, settings);
        var stopping = host.Stopping.IsCancellationRequested;
        if (stopping || !host.Streams.TryEnter(stream))
        {
            return stream.SendAwayAsync(stopping);
        }

        return stream.RunAsync(open);
    }

    public override void KeepAliveDue() => Wake(Wakes.KeepAlive);

    void IWakeable.Prefetch()
    {
        // One field of each part of it.
        Volatile.Read(ref _wakes);
        Volatile.Read(ref _flushStarted);
        Volatile.Read(ref _source);
    }

    private bool Has(Wakes any) => (Volatile.Read(ref _wakes) & (int)any) != 0;

    private void Clear(Wakes why) => Interlocked.And(ref _wakes, ~(int)why);

    /// <summary>The next wake-up, whoever's it is.</summary>
    private ValueTask SignalAsync() => new(this, token: 0);

    private void Wake(Wakes why)
    {
        Interlocked.Or(ref _wakes, (int)why);
        _wake.Set(inline: false, this);
    }

    // One method for all that frames the pump: such methods are the larger part of what an idle stream holds in memory.
    private async Task RunAsync(Func<StreamHost, CancellationToken, FrameSource> open)
    {
        var opened = LastWrite;
        var counted = _host.Metrics.Opened(Route, _resumes);
        var reason = Failed;
        var left = _left.UnsafeRegister(static stream => ((EventStream)stream!).Wake(Wakes.Left), this);
        if (_host.Stopping.IsCancellationRequested)
        {
            // It came in while the drain was already taking down who is there.
            End(StreamEnd.Stopping, _host.Options.DrainEvent);
        }

        var clocked = _settings.KeepAliveInterval != Timeout.InfiniteTimeSpan;
        if (clocked)
        {
            _host.KeepAlive.Add(this, _settings.KeepAliveInterval);
        }

        try
        {
            _serverRate = ServerDataRate.Suspend(_context, _host.Options.WriteTimeout);
            _source = open(_host, _sourceStop.Token);

            // Or else the stream would hold on to the result, and to all that it was made of.
            open = null!;
            for (var next = LoopStep.GoOn; next != LoopStep.End;)
            {
                next = TakeOutcome(out var flush);
                switch (next)
                {
                    case LoopStep.Begin:
                        await BeginAsync(alone: true);
                        break;

                    case LoopStep.BeginWithFrames:
                        await BeginWithFramesAsync();
                        if (IsFlushDueAfterFrames(_source, Out))
                        {
                            await FlushAsync();
                        }

                        break;

                    case LoopStep.AwaitFlush:
                        await flush;
                        break;

                    case LoopStep.AwaitSource:
                        while (!Volatile.Read(ref _sourceIsReady) && !IsOver)
                        {
                            if (Has(Wakes.KeepAlive))
                            {
                                Clear(Wakes.KeepAlive);
                                _source.WriteKeepAlive(Out);
                                _host.Metrics.KeptAlive(Route);
                                await FlushAsync();
                                ReturnOut();
                            }

                            (_awaitsSource, _executionContext) = (true, ExecutionContext.Capture());
                            await SignalAsync();
                            _awaitsSource = false;
                            TakeContext();
                            if (_outcome != LoopStep.GoOn)
                            {
                                // What has woken it has gone on in its stead.
                                break;
                            }
                        }

                        break;
                }
            }

            if (!IsOver)
            {
                await BeginAsync();
                await FlushRestAsync();
            }

            reason = EndReason;
        }
        catch (Exception exception) when (IsEnding)
        {
            // The client has left or the host stops: what a source or a write throws then is the echo of it.
            Log.SourceFailedAfterEnd(_host.Logger, _path, exception);
            reason = EndReason;
        }
        catch (Exception exception) when (_pipe is not null || _resumes || _source?.IsTransient(exception) == true)
        {
            await FailAsync(exception);
        }
        finally
        {
            if (clocked)
            {
                _host.KeepAlive.Remove(this, _settings.KeepAliveInterval);
            }

            if (IsEnding)
            {
                await QuietlyAsync(SayGoodbyeAsync());
            }

            // What it has woken it wakes in vain from here on, and no disposal of it needs to be awaited.
            left.Unregister();
            await LetGoAsync(_source);
            _host.Streams.Leave(this);
            _host.Metrics.Closed(Route, counted, _host.Time.GetElapsedTime(opened), reason);
            _stopGrace?.Dispose();
            if (_host.Stopping.IsCancellationRequested)
            {
                StopCutOff.Later(_context, StopGrace);
            }

            ServerDataRate.Resume(_context, _serverRate, _host.Options.WriteTimeout);
        }
    }

    /// <summary>Begins the response with the first frames: encoded before that, since a failure is still a real HTTP error then.</summary>
    private async ValueTask BeginWithFramesAsync()
    {
        var first = ScratchFrames.Rent();
        _source!.Write(first);
        await BeginAsync();
        Out.Write(first.Written);
        first.Return();
    }

    /// <summary>Begins the response, whose headers leave with the first flush.</summary>
    /// <param name="alone">Whether nothing is there yet that could follow them.</param>
    private async ValueTask BeginAsync(bool alone = false)
    {
        if (_pipe is not null)
        {
            return;
        }

        ResponsePreamble.Apply(_context, _host);
        PeerTimeout.Set(_context, _host.Options.WriteTimeout);
        await _context.Response.StartAsync();
        _pipe = _context.Response.BodyWriter;
        if (_host.Options.ReconnectDelay is not null && !IsEnding)
        {
            // The delay that a drain told it stays with an EventSource for its life, unless it is told another.
            EventHead.WriteRetry(Out, _host.Options.ReconnectionInterval);
        }
        else if (alone)
        {
            // YARP, and nginx over HTTP/2, keep the headers to themselves until something follows them.
            Out.Write(":\n"u8);
        }
    }
}
