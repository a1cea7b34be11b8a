namespace SseKit.Topics;

/// <summary>The store could not be read for a subscriber: nobody's fault at the other end, so the client is to come back.</summary>
internal sealed class BacklogException(string topic, Exception cause)
    : Exception($"The backlog could not be read for topic '{topic}'.", cause);
