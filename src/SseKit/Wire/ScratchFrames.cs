using System.Buffers;

namespace SseKit.Wire;

/// <summary>
/// Frames in memory of our own: for an event that many will receive, and for JSON, which may fail half-way and must leave no half frame
/// behind.
/// </summary>
internal sealed class ScratchFrames : FrameBuffer, IBufferWriter<byte>
{
    // One large event must not keep its memory with the thread for ever.
    private const int KeptCapacity = 64 * 1024;

    // Two, because JSON goes through one on its way into the other.
    [ThreadStatic]
    private static ScratchFrames? t_spare;

    [ThreadStatic]
    private static ScratchFrames? t_second;

    private byte[] _array = [];

    public ReadOnlySpan<byte> Written => _array.AsSpan(0, Used);

    /// <summary>Takes the thread's own buffer, empty. Give it back with <see cref="Return"/>; an exception in between merely loses it.</summary>
    public static ScratchFrames Rent()
    {
        // Taken, not shared: a JSON converter may itself encode an event.
        var scratch = t_spare ?? new ScratchFrames();
        (t_spare, t_second) = (t_second, null);
        return scratch;
    }

    /// <summary>Gives the buffer back and keeps what was written, in an array of its own.</summary>
    public byte[] ReturnAsArray()
    {
        var written = Written.ToArray();
        Return();
        return written;
    }

    public void Return()
    {
        Used = 0;
        if (_array.Length > KeptCapacity)
        {
            // Not only left to the collector: the thread's JSON writer still knows this buffer.
            _array = [];
            Memory = default;
            return;
        }

        (t_spare, t_second) = (this, t_spare);
    }

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint)
    {
        GetSpan(Math.Max(sizeHint, 1));
        return Memory[Used..];
    }

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint) => GetSpan(Math.Max(sizeHint, 1));

    protected override void Refill(int atLeast)
    {
        var larger = new byte[(int)Math.Min(Math.Max(256L, Math.Max(_array.Length * 2L, (long)Used + atLeast)), Array.MaxLength)];
        Written.CopyTo(larger);
        _array = larger;
        Memory = larger;
    }
}
