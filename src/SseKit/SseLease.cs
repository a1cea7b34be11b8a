namespace SseKit;

/// <summary>What a store knows of a topic's producer, at one moment. The default says that there is none.</summary>
public readonly record struct SseLease
{
    /// <summary>How far it is. A lease that has run out, or was released, before its end is <see cref="SseProducerState.Interrupted"/>.</summary>
    public required SseProducerState State { get; init; }

    /// <summary>The number of the newest lease of the topic: larger with each, and never given twice, not even when the topic comes to be again.</summary>
    public long Fence { get; init; }

    /// <summary>Whether this very call acquired it.</summary>
    public bool Granted { get; init; }

    /// <summary>Whether it is to stop.</summary>
    public bool StopRequested { get; init; }

    /// <summary>For how long nobody has attended it, at most since it began; null while somebody does.</summary>
    public TimeSpan? Unattended { get; init; }

    /// <summary>The id of its end, once it has ended.</summary>
    public string? EndId { get; init; }
}
