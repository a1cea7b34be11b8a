namespace SseKit.Wire;

/// <summary>
/// Where encoded frames go. Memory is asked for once and filled by many small events: a call into the server's pipe for each event costs
/// more than encoding it does.
/// </summary>
internal abstract class FrameBuffer
{
    private JsonScratch? _json;

    protected Memory<byte> Memory { get; set; }

    /// <summary>How much of <see cref="Memory"/> is filled.</summary>
    protected int Used { get; set; }

    /// <summary>Where an event's JSON goes on its way into this buffer.</summary>
    public JsonScratch Json => _json ??= JsonScratch.Rent();

    public Span<byte> GetSpan(int atLeast)
    {
        if (Memory.Length - Used < atLeast)
        {
            Refill(atLeast);
        }

        return Memory.Span[Used..];
    }

    public void Advance(int count) => Used += count;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var span = GetSpan(1);
            var count = Math.Min(span.Length, bytes.Length);
            bytes[..count].CopyTo(span);
            Advance(count);
            bytes = bytes[count..];
        }
    }

    /// <summary>Writes frames from memory that never changes, which may be looked at until they are flushed.</summary>
    public virtual void WriteLasting(ReadOnlyMemory<byte> frames) => Write(frames.Span);

    /// <summary>Makes room for at least <paramref name="atLeast"/> more bytes and keeps what was filled.</summary>
    protected abstract void Refill(int atLeast);

    protected void ReturnJson()
    {
        _json?.Return();
        _json = null;
    }
}
