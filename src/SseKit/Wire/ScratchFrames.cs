using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace SseKit.Wire;

/// <summary>
/// Frames in memory of our own: for an event that many will receive, and for JSON, which may fail half-way and must leave no half frame
/// behind.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The writer holds nothing but this buffer.")]
internal sealed class ScratchFrames : FrameBuffer, IBufferWriter<byte>
{
    // One large event must not keep its memory with the thread for ever.
    private const int KeptCapacity = 64 * 1024;

    // Two lie there, one on the other, because JSON goes through one on its way into the other. One thread's variable, because to find it costs
    // about as much as to copy a small event.
    [ThreadStatic]
    private static ScratchFrames? t_spare;

    private ScratchFrames? _below;
    private byte[] _array = [];
    private Utf8JsonWriter? _json;
    private JsonSerializerOptions? _jsonOptions;

    public ReadOnlySpan<byte> Written => _array.AsSpan(0, Used);

    /// <summary>Takes the thread's own buffer, empty. Give it back with <see cref="Return"/>; an exception in between merely loses it.</summary>
    public static ScratchFrames Rent()
    {
        // Taken, not shared: a JSON converter may itself encode an event.
        var scratch = t_spare;
        if (scratch is null)
        {
            return new ScratchFrames();
        }

        t_spare = scratch._below;
        scratch._below = null;
        return scratch;
    }

    /// <summary>A writer of JSON into this buffer; to be flushed. An exception before that leaves the buffer to the collector, with its writer.</summary>
    public Utf8JsonWriter Json(JsonSerializerOptions options)
    {
        if (_json is not null && ReferenceEquals(_jsonOptions, options))
        {
            _json.Reset();
            return _json;
        }

        _jsonOptions = options;
        return _json = new Utf8JsonWriter(this, new JsonWriterOptions
        {
            Encoder = options.Encoder,
            Indented = options.WriteIndented,
            IndentCharacter = options.IndentCharacter,
            IndentSize = options.IndentSize,
            NewLine = options.NewLine,
            MaxDepth = options.MaxDepth,
            SkipValidation = true,
        });
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
            _array = [];
            Memory = default;
        }

        var spare = t_spare;
        if (spare?._below is null)
        {
            _below = spare;
            t_spare = this;
        }
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
