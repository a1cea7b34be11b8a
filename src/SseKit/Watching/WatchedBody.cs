using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Streaming;

namespace SseKit.Watching;

/// <summary>
/// Stands between the app and its response, and does nothing until the response turns out to be an event stream: then every way to write goes
/// through a <see cref="WatchedStream"/>. It forwards every member, never completes or disposes of what it wraps, and is the body's feature
/// and its stream in one, because it is made for every request.
/// </summary>
internal sealed class WatchedBody(HttpContext context, IHttpResponseBodyFeature inner) : Stream, IHttpResponseBodyFeature, IWatchable, IStandAside
{
    private WatchedStream? _watched;
    private WatchedWriter? _writer;
    private bool _standsAside;
    private bool _announced;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => inner.Stream.Length;

    public override long Position
    {
        get => inner.Stream.Position;
        set => inner.Stream.Position = value;
    }

    Stream IHttpResponseBodyFeature.Stream => IsAnother ? inner.Stream : this;

    PipeWriter IHttpResponseBodyFeature.Writer => IsAnother ? inner.Writer : _writer ??= new WatchedWriter(this);

    public IHttpResponseBodyFeature Inner => inner;

    /// <summary>Whether the response is something else, as far as can be told by now.</summary>
    private bool IsAnother => _watched is null && (_standsAside || (context.Response.ContentType is { Length: > 0 } type && !IsEventStream(type)));

    /// <summary>The stream, once the response is one that is to be watched; else null.</summary>
    public WatchedStream? Watch()
    {
        if (_watched is null && !_standsAside)
        {
            if (!IsWatchable())
            {
                // Headers that have not left may still change; after that the answer stands.
                _standsAside = context.Response.HasStarted;
                return null;
            }

            var host = StreamHost.Of(context);
            var interval = context.GetEndpoint()?.Metadata.GetMetadata<SseStreamOptions>()?.KeepAliveInterval ?? host.Options.KeepAliveInterval;
            _watched = new WatchedStream(context, inner, host, interval);
        }

        return _watched;
    }

    /// <summary>Whether the app has announced a stream and sent nothing yet.</summary>
    public bool IsWaiting => _announced && !context.Response.HasStarted;

    /// <summary>Sends the headers of a stream that was announced.</summary>
    public ValueTask BeginAsync() => Watch() is { } watched ? watched.StartAsync(CancellationToken.None) : default;

    /// <summary>Called when the app has ended.</summary>
    public Task EndAsync(bool failed)
    {
        if (ReferenceEquals(context.Features.Get<IHttpResponseBodyFeature>(), this))
        {
            context.Features.Set(inner);
        }

        return _watched is null ? Task.CompletedTask : EndWatchedAsync(failed);
    }

    public void StandAside() => _standsAside = true;

    public void DisableBuffering()
    {
        _announced |= IsEventStream(context.Response.ContentType);
        inner.DisableBuffering();
    }

    public Task StartAsync(CancellationToken cancellationToken = default) =>
        Watch() is { } watched ? watched.StartAsync(cancellationToken).AsTask() : inner.StartAsync(cancellationToken);

    // What the file holds must be followed like any other bytes.
    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        Watch() is null
            ? inner.SendFileAsync(path, offset, count, cancellationToken)
            : SendFileFallback.SendFileAsync(this, path, offset, count, cancellationToken);

    public async Task CompleteAsync()
    {
        if (_watched is not null)
        {
            await EndWatchedAsync(failed: false);
        }

        await inner.CompleteAsync();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        Watch() is { } watched ? watched.WriteAsync(buffer, cancellationToken) : inner.Stream.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (Watch() is { } watched)
        {
            watched.Write(buffer);
        }
        else
        {
            inner.Stream.Write(buffer);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void WriteByte(byte value) => Write([value]);

    public override void Flush()
    {
        if (Watch() is { } watched)
        {
            watched.Flush();
        }
        else
        {
            inner.Stream.Flush();
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) =>
        Watch() is { } watched ? watched.FlushAsync(cancellationToken).AsTask() : inner.Stream.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => inner.Stream.Read(buffer, offset, count);

    public override long Seek(long offset, SeekOrigin origin) => inner.Stream.Seek(offset, origin);

    public override void SetLength(long value) => inner.Stream.SetLength(value);

    private static bool IsEventStream(string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ResponsePreamble.ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ResponsePreamble.ContentType.Length || contentType[ResponsePreamble.ContentType.Length] is ';' or ' ');

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

    private async Task EndWatchedAsync(bool failed)
    {
        if (_writer is not null && !failed)
        {
            await _writer.FlushAsync(CancellationToken.None);
        }

        await _watched!.EndAsync();
    }
}
