namespace SseKit;

/// <summary>What <see cref="ISseLeases.AcquireAsync"/> is asked for.</summary>
public readonly record struct SseLeaseTerms
{
    /// <summary>Who asks; unique to the attempt, so that one that is repeated because its answer was lost gets the same lease.</summary>
    public required string Owner { get; init; }

    /// <summary>For how long the lease holds without being renewed.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>How long topic and lease are kept after the end, or after a lease that nobody renewed has run out. A take-over does not change it.</summary>
    public required TimeSpan RetainFor { get; init; }

    /// <summary>False: only where the topic has no lease. True: only where it has one that has run out before its end.</summary>
    public bool TakeOver { get; init; }
}
