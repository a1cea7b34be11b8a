using System.IO.Pipelines;

namespace SseKit.Watching;

/// <summary>
/// The body's <see cref="PipeWriter"/> while it is not known to be something else. For an event stream it hands out memory of its own: the app
/// may hold a span of it for as long as it likes, and the keep-alive must be written meanwhile, which into the server's writer would end up
/// in the middle of that span.
/// </summary>
internal sealed class WatchedWriter(IWatchable body) : PipeWriter
{
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private bool _completed;

    public override bool CanGetUnflushedBytes => Watched is not null || body.Inner.Writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => Watched is null ? body.Inner.Writer.UnflushedBytes : _end - _start;

    private WatchedStream? Watched => body.Watch();

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (Watched is null)
        {
            return body.Inner.Writer.GetMemory(sizeHint);
        }

        ObjectDisposedException.ThrowIf(_completed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        if (_start == _end)
        {
            // Only here, not when flushed: what was handed out before the flush stays where it is until more is asked for.
            _start = _end = 0;
        }

        var least = Math.Max(sizeHint, 256);
        if (_buffer is null || _buffer.Length - _end < least)
        {
            var pending = _end - _start;
            // Doubled: whoever writes a large event asks again and again for a little more.
            var larger = new byte[(int)Math.Min(Math.Max(Math.Max(4096, pending * 2L), (long)pending + least), Array.MaxLength)];
            _buffer?.AsSpan(_start, pending).CopyTo(larger);
            (_buffer, _start, _end) = (larger, 0, pending);
        }

        return _buffer.AsMemory(_end);
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => Watched is null ? body.Inner.Writer.GetSpan(sizeHint) : GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        if (_buffer is null)
        {
            body.Inner.Writer.Advance(bytes);
            return;
        }

        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _buffer.Length - _end);
        _end += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
        Watched is { } watched ? FlushAsync(watched, cancellationToken) : body.Inner.Writer.FlushAsync(cancellationToken);

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        if (Watched is null)
        {
            return body.Inner.Writer.WriteAsync(source, cancellationToken);
        }

        System.Buffers.BuffersExtensions.Write(this, source.Span);
        return FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush() => body.Inner.Writer.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        if (Watched is null)
        {
            body.Inner.Writer.Complete(exception);
        }

        // For an event stream the rest goes out when the request ends, and the server completes what is its own.
        _completed = true;
    }

    public override async ValueTask CompleteAsync(Exception? exception = null)
    {
        if (Watched is null)
        {
            await body.Inner.Writer.CompleteAsync(exception);
        }
        else if (exception is null)
        {
            await FlushAsync();
        }

        _completed = true;
    }

    private async ValueTask<FlushResult> FlushAsync(WatchedStream watched, CancellationToken cancellationToken)
    {
        var (start, end) = (_start, _end);
        if (start == end)
        {
            await watched.FlushAsync(cancellationToken);
        }
        else
        {
            await watched.WriteAndFlushAsync(_buffer.AsMemory(start, end - start), cancellationToken);
            _start = end;
        }

        return new FlushResult(isCanceled: false, isCompleted: watched.IsGone);
    }
}
