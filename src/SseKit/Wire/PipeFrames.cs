using System.Buffers;
using System.IO.Pipelines;

namespace SseKit.Wire;

/// <summary>Frames on their way into a pipe. Between flushes it holds the pipe's memory, and nothing else may write to the pipe.</summary>
/// <remarks>
/// What is small by the time of its flush never gets that far: it is given to the pipe in one call from memory of our own, since each of the three
/// calls that filling the pipe's memory takes has its locks, and together they cost more than the copy and the encoding. Nor does what lies in
/// memory that lasts, as a topic's events do: the last of it is given to the pipe with the flush, from where it lies.
/// </remarks>
internal sealed class PipeFrames(PipeWriter pipe) : FrameBuffer
{
    // Small enough to share a pool block with the headers, large enough for most events.
    private const int SizeHint = 512;

    private const int SmallCapacity = 1024;

    // With the thread and not with the stream, of which there may be thousands that are idle.
    [ThreadStatic]
    private static byte[]? t_spare;

    [ThreadStatic]
    private static PipeFrames? t_idle;

    private PipeWriter _pipe = pipe;
    private byte[]? _small;

    // Comes after what the pipe has, and with it nothing is in memory. Counted among what was handed over.
    private ReadOnlyMemory<byte> _lasting;
    private long _handed;

    /// <summary>Bytes that were written since the last flush.</summary>
    public long Unflushed => _handed + Used;

    /// <summary>Begins to write into a pipe. To be given back with <see cref="Return"/>; an exception in between merely loses it.</summary>
    public static PipeFrames Rent(PipeWriter pipe)
    {
        if (t_idle is not { } idle)
        {
            return new PipeFrames(pipe);
        }

        t_idle = null;
        idle._pipe = pipe;
        return idle;
    }

    /// <summary>Gives it to the thread's other streams. Only when everything that was written has been handed over.</summary>
    public void Return()
    {
        // Memory that was asked for and not written belongs to this pipe.
        Give();
        (t_spare, _small) = (_small ?? t_spare, null);
        _pipe = null!;
        t_idle = this;
    }

    /// <summary>Hands everything to the reader's side; false when that side is gone.</summary>
    public ValueTask<FlushResult> FlushAsync()
    {
        ReturnJson();
        if (_small is { } small)
        {
            var frames = small.AsMemory(0, Used);
            (_small, Memory, Used) = (null, default, 0);
            var flush = _pipe.WriteAsync(frames, CancellationToken.None);
            if (flush.IsCompletedSuccessfully)
            {
                t_spare = small;
            }

            // Else somebody may still be reading it, and it is left to the collector.
            return flush;
        }

        if (!_lasting.IsEmpty)
        {
            (var lasting, _lasting, _handed) = (_lasting, default, 0);
            return _pipe.WriteAsync(lasting, CancellationToken.None);
        }

        Give();
        _handed = 0;
        return _pipe.FlushAsync(CancellationToken.None);
    }

    public override void WriteLasting(ReadOnlyMemory<byte> frames)
    {
        // Several that are small are still small together.
        if (_small is not null || (Unflushed > 0 && frames.Length <= SmallCapacity))
        {
            Write(frames.Span);
            return;
        }

        Give();
        _lasting = frames;
        _handed += frames.Length;
    }

    protected override void Refill(int atLeast)
    {
        if (_small is { } small)
        {
            Memory = _pipe.GetMemory(Math.Max(Used + atLeast, SizeHint));
            small.AsSpan(0, Used).CopyTo(Memory.Span);
            t_spare = small;
            _small = null;
        }
        else if (Unflushed == _lasting.Length && _lasting.Length + atLeast <= SmallCapacity)
        {
            _small = t_spare ?? new byte[SmallCapacity];
            t_spare = null;
            Memory = _small;
            _lasting.CopyTo(Memory);
            (Used, _lasting, _handed) = (_lasting.Length, default, 0);
        }
        else
        {
            Give();
            Memory = _pipe.GetMemory(Math.Max(atLeast, SizeHint));
        }
    }

    private void Give()
    {
        if (Used > 0)
        {
            _pipe.Advance(Used);
            _handed += Used;
        }

        if (!_lasting.IsEmpty)
        {
            _pipe.Write(_lasting.Span);
            _lasting = default;
        }

        // An idle connection must not hold a block of the server's pool.
        Memory = default;
        Used = 0;
    }
}
