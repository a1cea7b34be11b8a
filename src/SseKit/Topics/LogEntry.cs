namespace SseKit.Topics;

/// <summary>Where a frame lies in its segment, and what is known of it without reading it.</summary>
/// <param name="Start">The first byte.</param>
/// <param name="BodyEnd">The end of the body: what follows is the id line and the blank line.</param>
/// <param name="End">The end of the frame.</param>
/// <param name="At">When it came, by <see cref="LogClock"/>. Costs no memory: it lies where the others leave a hole.</param>
/// <param name="Id">The id where a store gave it; null where it follows from the sequence number.</param>
/// <param name="EventType">The event's type.</param>
/// <param name="Key">The event's key.</param>
internal readonly record struct LogEntry(int Start, int BodyEnd, int End, int At, string? Id, string? EventType, string? Key)
{
    /// <summary>What it takes of the memory that the log may have: the key besides the frame, since publishers give each event one of its own.</summary>
    public int Size => SizeOf(End - Start, Key);

    public static int SizeOf(int length, string? key) => length + ((key?.Length ?? 0) * sizeof(char));
}
