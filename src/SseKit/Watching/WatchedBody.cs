using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Streaming;

namespace SseKit.Watching;

/// <summary>
/// Stands between the app and its response, and does nothing until the response turns out to be an event stream: then every way to write goes
/// through a <see cref="WatchedStream"/>. It forwards every member, never completes or disposes of what it wraps, and is the body's feature,
/// its stream and the feature of the request's end in one, because it is made for every request.
/// </summary>
internal sealed partial class WatchedBody(HttpContext context, IHttpResponseBodyFeature inner, IHttpRequestLifetimeFeature lifetime)
    : Stream, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature, IWatchable
{
    // What it wraps, or an end of its own around it; one field for both, for every request pays for it.
    private IHttpRequestLifetimeFeature _lifetime = lifetime;
    private WatchedStream? _watched;
    private WatchedWriter? _writer;
    private bool _standsAside;
    private bool _announced;
    private bool _handedOut;

    public override bool CanRead => inner.Stream.CanRead;

    public override bool CanSeek => inner.Stream.CanSeek;

    public override bool CanWrite => true;

    public override long Length => inner.Stream.Length;

    public override long Position
    {
        get => inner.Stream.Position;
        set => inner.Stream.Position = value;
    }

    // Always the same one: when a middleware puts back the Response.Body that it found, the setter compares it with this.
    Stream IHttpResponseBodyFeature.Stream
    {
        get
        {
            if (!_handedOut && IsAnother())
            {
                return inner.Stream;
            }

            _handedOut = true;
            return this;
        }
    }

    PipeWriter IHttpResponseBodyFeature.Writer => _writer is null && IsAnother() ? inner.Writer : _writer ??= new WatchedWriter(this);

    public IHttpResponseBodyFeature Inner => inner;

    // What is known to be no stream is never stopped, so nothing is made for it.
    CancellationToken IHttpRequestLifetimeFeature.RequestAborted
    {
        get => (IsAnotherByNow() ? _lifetime : End()).RequestAborted;
        set => _lifetime.RequestAborted = value;
    }

    /// <summary>Whether the app has announced a stream and sent nothing yet.</summary>
    /// <remarks>Not where a middleware after this one has put a body of its own in between: it may have headers to set, such as the encoding.</remarks>
    private bool IsWaiting => _announced && IsInPlace && !context.Response.HasStarted;

    private bool IsInPlace => ReferenceEquals(context.Features.Get<IHttpResponseBodyFeature>(), this);

    /// <summary>The stream, if the response is one that is to be watched as far as can be told by now; else null.</summary>
    /// <remarks>Until a stream begins, what the app says of it may still change: an error page may take its place.</remarks>
    public WatchedStream? Watch()
    {
        if (_watched is { HasBegun: true } || _standsAside)
        {
            return _watched is { HasBegun: true } ? _watched : null;
        }

        if (IsWatchable())
        {
            // The middleware may be here as well, to send the headers of a stream that was announced.
            return _watched ?? MakeStream();
        }

        if (_watched is { HasBegun: true })
        {
            // By the middleware, just now.
            return _watched;
        }

        // Headers that have not left may still change; after that the answer stands.
        _standsAside = context.Response.HasStarted;
        return null;
    }

    void IHttpRequestLifetimeFeature.Abort() => _lifetime.Abort();

    public void StandAside()
    {
        _standsAside = true;
        _writer?.Give();
    }

    public void DisableBuffering()
    {
        inner.DisableBuffering();
        if (IsEventStream(context.Response.ContentType))
        {
            _announced = true;
            LookAhead();
            _watched?.EndIfLate();
        }
    }

    public Task StartAsync(CancellationToken cancellationToken = default) =>
        Watch() is { } watched ? watched.StartAsync(cancellationToken).AsTask() : inner.StartAsync(cancellationToken);

    // What the file holds must be followed like any other bytes.
    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        if (Watch() is not null)
        {
            return SendFileFallback.SendFileAsync(this, path, offset, count, cancellationToken);
        }

        StandAside();
        return inner.SendFileAsync(path, offset, count, cancellationToken);
    }

    public async Task CompleteAsync()
    {
        if (_watched is not null)
        {
            await EndWatchedAsync(failed: false);
        }

        await inner.CompleteAsync();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Watch() is { } watched)
        {
            return watched.WriteAsync(buffer, _writer, cancellationToken);
        }

        StandAside();
        return inner.Stream.WriteAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(WriteAsync(buffer, offset, count, CancellationToken.None), callback, state);

    public override void EndWrite(IAsyncResult asyncResult) => TaskToAsyncResult.End(asyncResult);

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (Watch() is { } watched)
        {
            watched.Write(buffer, _writer);
            return;
        }

        StandAside();
        inner.Stream.Write(buffer);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void WriteByte(byte value) => Write([value]);

    public override void Flush()
    {
        if (Watch() is { } watched)
        {
            watched.Flush(_writer);
        }
        else
        {
            inner.Stream.Flush();
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) =>
        Watch() is { } watched ? watched.FlushAsync(_writer, cancellationToken).AsTask() : inner.Stream.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => inner.Stream.Read(buffer, offset, count);

    public override long Seek(long offset, SeekOrigin origin) => inner.Stream.Seek(offset, origin);

    public override void SetLength(long value) => inner.Stream.SetLength(value);

    private static bool IsEventStream(string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ResponsePreamble.ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ResponsePreamble.ContentType.Length || contentType[ResponsePreamble.ContentType.Length] is ';' or ' ');

    /// <summary>Whether the response is something else, so that what is inside may be handed out; then it stays so, since nothing of it is seen.</summary>
    private bool IsAnother() =>
        _watched is not { HasBegun: true }
        && (_standsAside |= context.Response.ContentType is { Length: > 0 } type && !IsEventStream(type));

    private bool IsWatchable()
    {
        var response = context.Response;
        return IsEventStream(response.ContentType)
            && response.StatusCode == StatusCodes.Status200OK
            && !response.HasStarted
            && !HttpMethods.IsHead(context.Request.Method)
            && response.ContentLength is null
            && response.Headers.ContentEncoding is [] or ["identity"]
            && !OwnStream.IsAnnounced(context);
    }

    /// <summary>
    /// Looks at the response while the app has it for itself. Once the app has yielded, the middleware looks as well, to begin the stream, and
    /// the caches of an <see cref="HttpContext"/> bear two threads only where neither has to fill them: else one finds null in mid-request.
    /// </summary>
    private void LookAhead()
    {
        // Features that are made on first use make the caches of all others out of date: so once to make them, and once to read them.
        for (var looks = 0; looks < 2; looks++)
        {
            Watch();
        }
    }

    /// <summary>Whether the response is something else as far as can be told by now.</summary>
    private bool IsAnotherByNow() =>
        _standsAside || (_watched is null && context.Response.ContentType is { Length: > 0 } type && !IsEventStream(type));

    private RequestEnd End()
    {
        var unwatched = _lifetime;
        if (unwatched is RequestEnd end)
        {
            return end;
        }

        var made = new RequestEnd(unwatched);
        if (Interlocked.CompareExchange(ref _lifetime, made, unwatched) is RequestEnd other)
        {
            made.Unlink();
            return other;
        }

        return made;
    }

    private WatchedStream MakeStream()
    {
        var host = StreamHost.Of(context);
        var interval = context.GetEndpoint()?.Metadata.GetMetadata<SseStreamOptions>()?.KeepAliveInterval ?? host.Options.KeepAliveInterval;
        var made = new WatchedStream(context, inner, End(), host, interval, StopInBackground);
        if (Interlocked.CompareExchange(ref _watched, made, null) is { } other)
        {
            return other;
        }

        made.Enter();
        return made;
    }
}
