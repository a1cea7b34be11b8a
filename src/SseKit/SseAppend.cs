namespace SseKit;

/// <summary>What <see cref="ISseBacklog"/> is to store: one event, encoded, without an id.</summary>
public readonly record struct SseAppend
{
    /// <summary>
    /// The lines <c>event</c>, <c>retry</c> and <c>data</c> of the event as UTF-8, each ended by LF. Opaque to the store, which gives the
    /// bytes back as they are. The memory may be kept.
    /// </summary>
    public required ReadOnlyMemory<byte> Frame { get; init; }

    /// <summary>The event's type, for stores and subscribers that filter; null means <c>message</c>.</summary>
    public string? EventType { get; init; }

    /// <summary>The number of the lease under which a producer publishes; null for everybody else. See <see cref="ISseLeases"/>.</summary>
    public long? Fence { get; init; }

    /// <summary>With what the event ends its producer; null where it is not the end. Goes with <see cref="Fence"/>.</summary>
    public SseProducerState? Outcome { get; init; }

    /// <summary>Whom or what the event is about, for subscribers that filter, kept as it is; null where the publisher gave none, and never empty.</summary>
    public string? Key { get; init; }
}
