namespace SseKit.Tests.Wire;

/// <summary>Bytes that arrive a few at a time, in the given sizes over and over.</summary>
internal sealed class Chunked(byte[] bytes, int[] sizes) : MemoryStream(bytes)
{
    private int _next;

    // Reads into spans come here as well.
    public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, sizes[_next++ % sizes.Length]));
}
