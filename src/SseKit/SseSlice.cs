namespace SseKit;

/// <summary>A part of a topic as <see cref="ISseBacklog.ReadAsync"/> found it: head and entries are of one moment.</summary>
public readonly record struct SseSlice
{
    /// <summary>
    /// The newest position: the id of the last entry ever stored, also when it has been trimmed; for a topic that never had one, an id that
    /// is unique to this incarnation of the topic. Within the alphabet and the length of <see cref="SseEntry.Id"/>.
    /// </summary>
    public required string Head { get; init; }

    /// <summary>The entries, oldest first, each the predecessor of the next.</summary>
    public required IReadOnlyList<SseEntry> Entries { get; init; }

    /// <summary>Whether the entry at <see cref="Head"/> is the end of a producer. See <see cref="ISseLeases"/>.</summary>
    public bool IsEnded { get; init; }
}
