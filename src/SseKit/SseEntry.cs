namespace SseKit;

/// <summary>One stored event of a topic.</summary>
public readonly record struct SseEntry
{
    /// <summary>The id that the store gave: 1–64 characters of <c>[0-9A-Za-z._-]</c>, never given twice, in this topic or another.</summary>
    public required string Id { get; init; }

    /// <summary>
    /// The id of the entry stored directly before this one, trimmed or not; for the first entry that a topic ever had, the position that an
    /// empty topic reported as <see cref="SseSlice.Head"/>. Continuity is judged by this alone.
    /// </summary>
    public required string PreviousId { get; init; }

    /// <summary>The bytes of <see cref="SseAppend.Frame"/>, unchanged.</summary>
    public required ReadOnlyMemory<byte> Frame { get; init; }

    /// <summary>
    /// How long ago it was stored, by the store's clock, for <see cref="SseOptions.MaxEventAge"/>: so that the clocks of nodes need not agree.
    /// Zero, the default, where the store does not know; the node then counts from when it read the entry.
    /// </summary>
    public TimeSpan Age { get; init; }

    /// <summary>The event's type; null means <c>message</c>.</summary>
    public string? EventType { get; init; }

    /// <summary>Whether it is the end of a producer: the last entry that its topic will have. See <see cref="ISseLeases"/>.</summary>
    public bool IsEnd { get; init; }

    /// <summary><see cref="SseAppend.Key"/>, unchanged; null where there was none.</summary>
    public string? Key { get; init; }
}
