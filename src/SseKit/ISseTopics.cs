namespace SseKit;

/// <summary>
/// Publishes to topics and reads them. A topic needs no declaration: it is there once somebody publishes or subscribes. Registered by
/// <c>AddSse()</c>; safe for use from many threads.
/// </summary>
public interface ISseTopics
{
    /// <summary>Publishes an event to everyone who reads the topic, now or later by <c>Last-Event-ID</c>.</summary>
    /// <param name="topic">The topic: 1–256 bytes of UTF-8 without control characters, compared ordinally.</param>
    /// <param name="item">
    /// The event, encoded before this method first awaits. It may carry no <see cref="SseEvent.EventId"/> (the topic gives the ids; put yours
    /// into the data), may not be a comment, and may take at most <see cref="SseOptions.MaxEventSize"/> bytes.
    /// </param>
    /// <param name="cancellationToken">Ends the attempt to store the event.</param>
    /// <returns>The event's id, once the backlog has the event; delivery goes on in the background.</returns>
    /// <exception cref="ArgumentException">The topic's name or the event is not acceptable; nothing was published.</exception>
    /// <exception cref="SseUnknownOutcomeException">The event was sent to the store, and whether it is stored is not known.</exception>
    /// <exception cref="InvalidOperationException">There are <see cref="SseOptions.MaxTopics"/> topics already, and this would be one more.</exception>
    ValueTask<string> PublishAsync(string topic, SseEvent item, CancellationToken cancellationToken = default);

    /// <summary>
    /// Publishes several events in one step: all of them or none, one directly after the other, with nobody else's in between. What one of them
    /// may not be, none of them may be.
    /// </summary>
    /// <param name="topic">The topic, as for one event.</param>
    /// <param name="items">The events, as for one; encoded before this method first awaits. May be empty.</param>
    /// <param name="cancellationToken">Ends the attempt to store the events.</param>
    /// <returns>The events' ids, once the backlog has the events; delivery goes on in the background.</returns>
    /// <exception cref="ArgumentException">
    /// The topic's name or one of the events is not acceptable, or they are more than the topic keeps, so that the first would be gone before
    /// anybody could read them; nothing was published.
    /// </exception>
    /// <exception cref="NotSupportedException">The topics live in an <see cref="ISseBacklog"/> that can't store several events in one step.</exception>
    /// <exception cref="SseUnknownOutcomeException">The events were sent to the store, and whether they are stored is not known: all or none.</exception>
    /// <exception cref="InvalidOperationException">There are <see cref="SseOptions.MaxTopics"/> topics already, and this would be one more.</exception>
    ValueTask<IReadOnlyList<string>> PublishAsync(string topic, IReadOnlyList<SseEvent> items, CancellationToken cancellationToken = default);

    /// <summary>
    /// The newest position of a topic. Rendered into a page and sent as <c>?lastEventId=</c>, it lets the page's stream begin exactly where
    /// the page's own data ends.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <returns>The id of the last event, or the position of a topic that had none yet.</returns>
    /// <exception cref="ArgumentException">The topic's name is not acceptable.</exception>
    ValueTask<string> GetPositionAsync(string topic, CancellationToken cancellationToken = default);

    /// <summary>
    /// Reads a topic inside the app: to transform or merge events before they go out, or without HTTP at all. A subscriber that falls behind
    /// or whose <paramref name="lastEventId"/> is not continued gets an event of type <see cref="SseOptions.GapEventType"/>, then what is kept.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <param name="lastEventId">The id after which to go on; null to begin at <paramref name="start"/>.</param>
    /// <param name="start"><see cref="SseStart.Live"/> or <see cref="SseStart.Earliest"/>.</param>
    /// <param name="cancellationToken">Ends the subscription; the stream then ends without an exception.</param>
    /// <returns>The events, with their ids. It never ends by itself.</returns>
    /// <exception cref="ArgumentException">The topic's name is not acceptable, or <paramref name="start"/> asks for a snapshot.</exception>
    IAsyncEnumerable<SseEvent> SubscribeAsync(
        string topic, string? lastEventId = null, SseStart start = SseStart.Live, CancellationToken cancellationToken = default);
}
