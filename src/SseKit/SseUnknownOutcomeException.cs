namespace SseKit;

/// <summary>
/// Thrown by <c>ISseTopics.PublishAsync</c> where the store can't tell whether it has the event: the connection broke, or the caller's
/// token was cancelled, after the event was sent and before the answer came. Any other exception from it says that nothing was stored.
/// </summary>
/// <remarks>Publishing again may publish twice. Where that matters, put an id of your own into the data, for readers to tell a repeat by.</remarks>
public sealed class SseUnknownOutcomeException : Exception
{
    /// <summary>Makes the exception, for an <see cref="ISseBacklog"/> to throw.</summary>
    /// <param name="topic">The topic that the event was for.</param>
    /// <param name="innerException">Why it is not known.</param>
    public SseUnknownOutcomeException(string topic, Exception? innerException)
        : base($"The event for topic '{topic}' was sent to the backlog, and whether it is stored is not known.", innerException) => Topic = topic;

    /// <summary>The topic that the event was for.</summary>
    public string Topic { get; }
}
