using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Diagnostics;
using SseKit.Streaming;
using SseKit.Wire;

namespace SseKit.Watching;

/// <summary>
/// An event stream that the app writes by itself. Headers go out early, and when the app is silent between two events a keep-alive is put in.
/// One gate orders the app and the clock; while a write or flush of the app is pending there is no keep-alive.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A semaphore whose handle nobody asks for holds nothing.")]
internal sealed partial class WatchedStream(HttpContext context, IHttpResponseBodyFeature inner, RequestEnd end, StreamHost host, TimeSpan interval, Action stop)
    : KeepAliveMember, IThreadPoolWorkItem, IDrained
{
    private static readonly byte[] KeepAlive = ":\n"u8.ToArray();
    private static readonly byte[] ByteOrderMark = EventBoundary.ByteOrderMark.ToArray();

    private readonly SemaphoreSlim _gate = new(1, 1);
    private readonly string _path = context.Request.Path;
    private EventBoundary _boundary;
    private bool _begun;
    private bool _ended;
    private bool _clocked;
    private bool _anyOfTheApp;
    private bool _dropLineFeed;
    private bool _dropMark;
    private int _heldMark;

    /// <summary>Whether its headers have been completed: from then on it is a stream, whatever else the app may say.</summary>
    public bool HasBegun => Volatile.Read(ref _begun);

    /// <summary>Whether the client has left, or the app is to end.</summary>
    public bool IsGone => context.RequestAborted.IsCancellationRequested;

    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (!context.Response.HasStarted)
            {
                Begin();
                await inner.StartAsync(cancellationToken);
                await inner.Stream.FlushAsync(cancellationToken);
            }
        }
        finally
        {
            Release();
        }
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, IPendingBytes? pending, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            ThrowIfOverdue();
            Begin();
            await ForwardPendingAsync(pending, cancellationToken);
            await ForwardAsync(bytes, cancellationToken);

            // TypedResults.ServerSentEvents writes and does not flush, which behind a compressor holds every event back
            // (https://github.com/dotnet/runtime/issues/121003).
            if (_boundary.IsHere)
            {
                await inner.Stream.FlushAsync(cancellationToken);
            }
        }
        finally
        {
            Release();
        }
    }

    public void Write(ReadOnlySpan<byte> bytes, IPendingBytes? pending)
    {
        _gate.Wait();
        try
        {
            ThrowIfOverdue();
            Begin();
            ForwardPending(pending);
            Forward(bytes);
            if (_boundary.IsHere)
            {
                inner.Stream.Flush();
            }
        }
        finally
        {
            Release();
        }
    }

    public async ValueTask FlushAsync(IPendingBytes? pending, CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            ThrowIfOverdue();
            Begin();
            await ForwardPendingAsync(pending, cancellationToken);
            await inner.Stream.FlushAsync(cancellationToken);
        }
        finally
        {
            Release();
        }
    }

    public void Flush(IPendingBytes? pending)
    {
        _gate.Wait();
        try
        {
            ThrowIfOverdue();
            Begin();
            ForwardPending(pending);
            inner.Stream.Flush();
        }
        finally
        {
            Release();
        }
    }

    // The clock serves all streams in turn, so the writing is done elsewhere.
    public override void KeepAliveDue() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    void IThreadPoolWorkItem.Execute() => _ = KeepAliveAsync();

    private async Task KeepAliveAsync()
    {
        if (!_gate.Wait(0))
        {
            return;
        }

        try
        {
            if (_ended || !_boundary.IsHere)
            {
                return;
            }

            // What the comment separates from what came before it: the second half of a line end, and the start of the stream.
            _dropLineFeed |= _boundary.IsAfterCarriageReturn;
            _dropMark |= !_anyOfTheApp;
            _boundary.Pass(KeepAlive);
            await inner.Stream.WriteAsync(KeepAlive);
            await inner.Stream.FlushAsync();
        }
        catch (Exception exception)
        {
            // Mostly the client has left, and the app will notice in its own time; nobody awaits this.
            _ended = true;
            Log.KeepAliveFailed(host.Logger, _path, exception);
        }
        finally
        {
            Release();
        }
    }

    /// <summary>Sends what the app wrote to the body's writer before: whichever way it writes, its order holds, as on the server's own.</summary>
    private async ValueTask ForwardPendingAsync(IPendingBytes? pending, CancellationToken cancellationToken)
    {
        if (pending is not { HasPending: true })
        {
            return;
        }

        try
        {
            await ForwardAsync(pending.Take(), cancellationToken);
        }
        finally
        {
            pending.Sent();
        }
    }

    private void ForwardPending(IPendingBytes? pending)
    {
        if (pending is { HasPending: true })
        {
            Forward(pending.Take().Span);
            pending.Sent();
        }
    }

    private void Forward(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[Drop(bytes, out var held)..];
        if (held > 0)
        {
            _boundary.Pass(ByteOrderMark.AsSpan(0, held));
            inner.Stream.Write(ByteOrderMark.AsSpan(0, held));
        }

        _boundary.Pass(bytes);
        inner.Stream.Write(bytes);
    }

    private async ValueTask ForwardAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        bytes = bytes[Drop(bytes.Span, out var held)..];
        if (held > 0)
        {
            _boundary.Pass(ByteOrderMark.AsSpan(0, held));
            await inner.Stream.WriteAsync(ByteOrderMark.AsMemory(0, held), cancellationToken);
        }

        _boundary.Pass(bytes.Span);
        await inner.Stream.WriteAsync(bytes, cancellationToken);
    }

    /// <summary>
    /// How many bytes are not to be sent, because of a keep-alive in front of them: a line feed whose carriage return was sent (it would be a
    /// blank line now), and a byte order mark (clients drop it at the very start only, and take it for text elsewhere).
    /// </summary>
    private int Drop(ReadOnlySpan<byte> bytes, out int held)
    {
        held = 0;
        if (bytes.IsEmpty)
        {
            return 0;
        }

        var drop = _dropLineFeed && bytes[0] == (byte)'\n' ? 1 : 0;
        _dropLineFeed = false;
        if (_dropMark)
        {
            // The mark may come byte by byte: what may be the start of one is held until it is known.
            while (drop < bytes.Length && _heldMark < ByteOrderMark.Length && bytes[drop] == ByteOrderMark[_heldMark])
            {
                drop++;
                _heldMark++;
            }

            if (_heldMark < ByteOrderMark.Length && drop == bytes.Length)
            {
                return drop;
            }

            held = _heldMark < ByteOrderMark.Length ? _heldMark : 0;
            _dropMark = false;
        }

        _anyOfTheApp = true;
        return drop;
    }

    private void Begin()
    {
        if (_begun)
        {
            return;
        }

        Volatile.Write(ref _begun, true);
        ResponsePreamble.BeforeSource(context);
        ResponsePreamble.Complete(context, host);
        inner.DisableBuffering();
        if (interval != Timeout.InfiniteTimeSpan && !_ended)
        {
            LastWrite = host.Time.GetTimestamp();
            host.KeepAlive.Add(this, interval);
            _clocked = true;
        }

        EndIfLate();
    }

    private void ThrowIfOverdue()
    {
        if (_overdue)
        {
            throw new OperationCanceledException("The app stops, and this event stream has been ended.", host.Stopping);
        }
    }

    private void Release()
    {
        LastWrite = host.Time.GetTimestamp();
        _gate.Release();
    }
}
