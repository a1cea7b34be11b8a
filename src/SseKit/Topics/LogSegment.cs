using System.Text;

namespace SseKit.Topics;

/// <summary>
/// A run of frames in one array, back to back, so that a reader who is behind takes them all in one copy. Written under the log's gate by
/// one thread at a time, read without a lock: what lies below <see cref="Count"/> never changes.
/// </summary>
internal sealed class LogSegment(long first, int capacity) : IFrameRun
{
    private readonly byte[] _bytes = new byte[capacity];
    private LogEntry[] _entries = new LogEntry[4];
    private int _count;
    private LogSegment? _next;
    private bool _trimmed;

    /// <summary>The sequence number of the first frame.</summary>
    public long First { get; } = first;

    public int Capacity => _bytes.Length;

    /// <summary>How many frames can be read.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>
    /// The segment after this one; set once this one takes no more. Cut when this one is trimmed: else a reader that stalls here would keep
    /// everything after it in memory.
    /// </summary>
    public LogSegment? Next
    {
        get => Volatile.Read(ref _next);
        set => Volatile.Write(ref _next, value);
    }

    public bool Trimmed => Volatile.Read(ref _trimmed);

    public static int FrameLength(int bodyLength, string id) => bodyLength + "id: "u8.Length + id.Length + 2;

    public bool TryAppend(ReadOnlySpan<byte> body, string id, string? storedId, string? eventType, string? key, int at)
    {
        var start = _count == 0 ? 0 : _entries[_count - 1].End;
        var length = FrameLength(body.Length, id);
        if (length > _bytes.Length - start)
        {
            return false;
        }

        var target = _bytes.AsSpan(start, length);
        body.CopyTo(target);
        target = target[body.Length..];
        "id: "u8.CopyTo(target);
        Encoding.ASCII.GetBytes(id, target[4..]);
        "\n\n"u8.CopyTo(target[(4 + id.Length)..]);

        if (_count == _entries.Length)
        {
            // Readers may hold the old array: it stays right for the frames that they know of.
            var larger = new LogEntry[_count * 2];
            _entries.CopyTo(larger, 0);
            Volatile.Write(ref _entries, larger);
        }

        _entries[_count] = new LogEntry(start, start + body.Length, start + length, at, storedId, eventType, key);
        Volatile.Write(ref _count, _count + 1);
        return true;
    }

    /// <summary>The frames from <paramref name="from"/> up to <paramref name="to"/> (exclusive), which must be below <see cref="Count"/>.</summary>
    public ReadOnlyMemory<byte> Frames(int from, int to)
    {
        var entries = Volatile.Read(ref _entries);
        var start = entries[from].Start;
        return _bytes.AsMemory(start, entries[to - 1].End - start);
    }

    public SseTopicEvent About(int index)
    {
        var entry = Entry(index);
        return new SseTopicEvent { EventType = entry.EventType ?? "", Key = entry.Key };
    }

    /// <summary>A frame without its id and blank line.</summary>
    public ReadOnlyMemory<byte> Body(int index)
    {
        var entry = Entry(index);
        return _bytes.AsMemory(entry.Start, entry.BodyEnd - entry.Start);
    }

    public LogEntry Entry(int index) => Volatile.Read(ref _entries)[index];

    public void Trim()
    {
        Volatile.Write(ref _trimmed, true);
        Next = null;
    }
}
