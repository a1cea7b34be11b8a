using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace SseKit.Wire;

/// <summary>Where the JSON of one event is written.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The writer holds nothing but this buffer.")]
internal sealed class JsonScratch : IBufferWriter<byte>
{
    [ThreadStatic]
    private static JsonScratch? t_spare;

    private byte[] _array = [];
    private int _used;
    private Utf8JsonWriter? _writer;
    private JsonSerializerOptions? _writerOptions;

    public ReadOnlySpan<byte> Written => _array.AsSpan(0, _used);

    /// <summary>Takes the thread's own. Give it back with <see cref="Return"/>; an exception in between merely loses it.</summary>
    public static JsonScratch Rent()
    {
        // Taken, not shared: a JSON converter may itself encode an event.
        var scratch = t_spare ?? new JsonScratch();
        t_spare = null;
        return scratch;
    }

    /// <summary>Begins anew, with a writer of JSON into this memory. The serializer flushes it.</summary>
    public Utf8JsonWriter Writer(JsonSerializerOptions options)
    {
        // A value that failed half-way may have left something.
        _used = 0;
        if (_writer is not null && ReferenceEquals(_writerOptions, options))
        {
            _writer.Reset();
            return _writer;
        }

        _writerOptions = options;
        return _writer = new Utf8JsonWriter(this, new JsonWriterOptions
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

    public void Return()
    {
        if (_array.Length > Capacity.Kept)
        {
            (_array, _used) = ([], 0);
        }

        t_spare = this;
    }

    public void Advance(int count) => _used += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = _used + (long)Math.Max(sizeHint, 1);
        if (_array.Length < needed)
        {
            Array.Resize(ref _array, Capacity.Grown(_array.Length, needed));
        }

        return _array.AsMemory(_used);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
}
