namespace SseKit;

/// <summary>
/// Thrown where an event is published to a topic that belongs to a producer, by anybody but the one that holds its lease: from outside, by a
/// producer whose lease another has taken over, or by one that was stopped. Nothing was stored.
/// </summary>
public sealed class SseFencedException : Exception
{
    /// <summary>Makes the exception, for an <see cref="ISseLeases"/> to throw.</summary>
    /// <param name="topic">The topic that the event was for.</param>
    public SseFencedException(string topic)
        : base($"The topic '{topic}' is for the producer that holds its lease, and for nobody else; nothing was published. Publish to a topic of your own.") =>
        Topic = topic;

    /// <summary>The topic that the event was for.</summary>
    public string Topic { get; }
}
