using System.IO.Pipelines;

namespace SseKit.Wire;

/// <summary>Frames on their way into a pipe. Between flushes it holds the pipe's memory, and nothing else may write to the pipe.</summary>
internal sealed class PipeFrames(PipeWriter pipe) : FrameBuffer
{
    // Small enough to share a pool block with the headers, large enough for most events.
    private const int SizeHint = 512;

    private long _advanced;

    /// <summary>Bytes that were written since the last flush.</summary>
    public long Unflushed => _advanced + Used;

    /// <summary>Hands everything to the reader's side; false when that side is gone.</summary>
    public ValueTask<FlushResult> FlushAsync()
    {
        Give();
        _advanced = 0;
        return pipe.FlushAsync(CancellationToken.None);
    }

    protected override void Refill(int atLeast)
    {
        Give();
        Memory = pipe.GetMemory(Math.Max(atLeast, SizeHint));
    }

    private void Give()
    {
        if (Used > 0)
        {
            pipe.Advance(Used);
            _advanced += Used;
        }

        // An idle connection must not hold a block of the server's pool.
        Memory = default;
        Used = 0;
    }
}
