using System.Buffers;
using System.IO.Pipelines;

namespace SseKit.Watching;

/// <summary>
/// The body's <see cref="PipeWriter"/> while it is not known to be something else. For an event stream it hands out memory of its own: the app
/// may hold a span of it for as long as it likes, and the keep-alive must be written meanwhile, which into the server's writer would end up
/// in the middle of that span.
/// </summary>
internal sealed class WatchedWriter(IWatchable body) : PipeWriter, IPendingBytes
{
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private bool _sending;
    private bool _completed;
    private int _cancelled;

    public bool HasPending => _start < _end;

    public override bool CanGetUnflushedBytes => _buffer is not null || Watched is not null || body.Inner.Writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => _buffer is not null || Watched is not null ? _end - _start : body.Inner.Writer.UnflushedBytes;

    private WatchedStream? Watched => body.Watch();

    public ReadOnlyMemory<byte> Take()
    {
        var pending = _buffer.AsMemory(_start, _end - _start);
        _start = _end;
        _sending = true;
        return pending;
    }

    public void Sent() => _sending = false;

    /// <summary>Puts what the app has written where it would be without this writer.</summary>
    public void Give()
    {
        if (HasPending)
        {
            body.Inner.Writer.Write(Take().Span);
            Sent();
        }
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_buffer is null && Watched is null)
        {
            return body.Inner.Writer.GetMemory(sizeHint);
        }

        ObjectDisposedException.ThrowIf(_completed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        if (_start == _end && !_sending)
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

    public override Span<byte> GetSpan(int sizeHint = 0) =>
        _buffer is null && Watched is null ? body.Inner.Writer.GetSpan(sizeHint) : GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        if (_buffer is null)
        {
            body.StandAside();
            body.Inner.Writer.Advance(bytes);
            return;
        }

        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _buffer.Length - _end);
        _end += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (Watched is { } watched)
        {
            return FlushAsync(watched, cancellationToken);
        }

        Give();
        return body.Inner.Writer.FlushAsync(cancellationToken);
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        if (_buffer is null && Watched is null)
        {
            body.StandAside();
            return body.Inner.Writer.WriteAsync(source, cancellationToken);
        }

        this.Write(source.Span);
        return FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush()
    {
        Volatile.Write(ref _cancelled, 1);
        body.Inner.Writer.CancelPendingFlush();
    }

    public override void Complete(Exception? exception = null)
    {
        if (Watched is null)
        {
            Give();
            body.Inner.Writer.Complete(exception);
        }

        // For an event stream the rest goes out when the request ends, and the server completes what is its own.
        _completed = true;
    }

    public override async ValueTask CompleteAsync(Exception? exception = null)
    {
        if (Watched is null)
        {
            Give();
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
        await watched.FlushAsync(this, cancellationToken);
        return new FlushResult(isCanceled: Interlocked.Exchange(ref _cancelled, 0) == 1, isCompleted: watched.IsGone);
    }
}
