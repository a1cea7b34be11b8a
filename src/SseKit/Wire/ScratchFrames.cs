namespace SseKit.Wire;

/// <summary>Frames in memory of our own: for an event that many will receive, and for one that must not reach its response yet.</summary>
internal sealed class ScratchFrames : FrameBuffer
{
    // One thread's variable, because to find it costs about as much as to copy a small event.
    [ThreadStatic]
    private static ScratchFrames? t_spare;

    private byte[] _array = [];

    public ReadOnlySpan<byte> Written => _array.AsSpan(0, Used);

    /// <summary>Takes the thread's own buffer, empty. Give it back with <see cref="Return"/>; an exception in between merely loses it.</summary>
    public static ScratchFrames Rent()
    {
        // Taken, not shared: a JSON converter may itself encode an event.
        var scratch = t_spare ?? new ScratchFrames();
        t_spare = null;
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
        ReturnJson();
        Used = 0;
        if (_array.Length > Capacity.Kept)
        {
            _array = [];
            Memory = default;
        }

        t_spare = this;
    }

    protected override void Refill(int atLeast)
    {
        var larger = new byte[Capacity.Grown(_array.Length, (long)Used + atLeast)];
        Written.CopyTo(larger);
        _array = larger;
        Memory = larger;
    }
}
