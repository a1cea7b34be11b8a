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
    /// Sends an event to everyone who reads the topic at this moment, on all nodes, and keeps nothing of it: for what is worth nothing a moment
    /// later, as that somebody types or moves a pointer. It has no id and is not replayed; a subscriber that is away, behind or slow may miss it,
    /// and is not told. What is kept stays whole and in order beside it.
    /// </summary>
    /// <remarks>
    /// To a subscriber that is up to date it comes after what the same caller has published before it. In memory it comes before what that
    /// caller publishes after it, too; from a store a node may have that at hand already.
    /// </remarks>
    /// <param name="topic">The topic, as for <see cref="PublishAsync(string, SseEvent, CancellationToken)"/>.</param>
    /// <param name="item">The event, as for <see cref="PublishAsync(string, SseEvent, CancellationToken)"/>. Filters see its type and its key.</param>
    /// <param name="cancellationToken">Ends the attempt to send it.</param>
    /// <returns>Completes when it is on its way. That nobody reads the topic is no failure.</returns>
    /// <exception cref="ArgumentException">The topic's name or the event is not acceptable.</exception>
    /// <exception cref="NotSupportedException">The topics live in an <see cref="ISseBacklog"/> that is no <see cref="ISseRelay"/>.</exception>
    ValueTask PublishEphemeralAsync(string topic, SseEvent item, CancellationToken cancellationToken = default);

    /// <summary>
    /// How many subscribers read a topic on this node at this moment: streams, and readers inside the app. Those on other nodes are not counted.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <returns>The number; zero for a topic that nobody reads.</returns>
    /// <exception cref="ArgumentException">The topic's name is not acceptable.</exception>
    int CountSubscribers(string topic);

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
    /// <param name="filter">
    /// Asked about the type and the key of each event; those that it rejects are passed by. Null lets all pass. What it throws, the reading throws.
    /// </param>
    /// <param name="cancellationToken">Ends the subscription; the stream then ends without an exception.</param>
    /// <returns>The events, with their ids. It never ends by itself.</returns>
    /// <exception cref="ArgumentException">The topic's name is not acceptable, or <paramref name="start"/> asks for a snapshot.</exception>
    IAsyncEnumerable<SseEvent> SubscribeAsync(
        string topic,
        string? lastEventId = null,
        SseStart start = SseStart.Live,
        Func<SseTopicEvent, bool>? filter = null,
        CancellationToken cancellationToken = default);
}
