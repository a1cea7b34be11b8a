using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace SseKit.Wire;

/// <summary>Where the JSON of one event goes: into room that was lent to it, for as long as that will do, and else into memory of its own.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The writer holds nothing but this buffer.")]
internal sealed class JsonScratch : IBufferWriter<byte>
{
    // The serializer's own. A method that was generated looks at no depth and leaves a value that holds itself to the writer, whose own is 1,000.
    private const int DefaultDepth = 64;

    [ThreadStatic]
    private static JsonScratch? t_spare;

    private byte[] _array = [];
    private Memory<byte> _memory;
    private Utf8JsonWriter? _writer;
    private JsonSerializerOptions? _writerOptions;

    /// <summary>How many bytes were written.</summary>
    public int Used { get; private set; }

    public ReadOnlySpan<byte> Written => _memory.Span[..Used];

    /// <summary>Whether what was written lies in the room that was lent.</summary>
    public bool Borrows { get; private set; }

    /// <summary>Takes the thread's own. Give it back with <see cref="Return"/>; an exception in between merely loses it.</summary>
    public static JsonScratch Rent()
    {
        // Taken, not shared: a JSON converter may itself encode an event.
        var scratch = t_spare ?? new JsonScratch();
        t_spare = null;
        return scratch;
    }

    /// <summary>Begins anew, in the room that is lent; none means in memory of its own.</summary>
    public void Borrow(Memory<byte> room)
    {
        Used = 0;
        Borrows = !room.IsEmpty;
        _memory = Borrows ? room : _array;
    }

    /// <summary>Moves what was written out of borrowed room.</summary>
    public void StandAlone()
    {
        if (Borrows)
        {
            Move(Used);
        }
    }

    /// <summary>A writer of JSON into this memory. The serializer flushes it.</summary>
    public Utf8JsonWriter Writer(JsonSerializerOptions options)
    {
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
            MaxDepth = options.MaxDepth > 0 ? options.MaxDepth : DefaultDepth,
            SkipValidation = true,
        });
    }

    public void Return()
    {
        if (_array.Length > Capacity.Kept)
        {
            _array = [];
        }

        Borrow(default);
        t_spare = this;
    }

    public void Advance(int count) => Used += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = Used + (long)Math.Max(sizeHint, 1);
        if (_memory.Length < needed)
        {
            Move(needed);
        }

        return _memory[Used..];
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    private void Move(long needed)
    {
        var array = _array.Length < needed ? new byte[Capacity.Grown(_array.Length, needed)] : _array;
        Written.CopyTo(array);
        _array = array;
        _memory = array;
        Borrows = false;
    }
}
