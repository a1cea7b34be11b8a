namespace SseKit;

/// <summary>
/// The store behind topics: an append-only log for each topic, from which events are replayed. The default keeps them in memory; register
/// your own as a singleton before or after <c>AddSse()</c>.
/// </summary>
/// <remarks>
/// <para>The contract. All members are called from many threads at once, for the same topic too.</para>
/// <para><b>Order.</b> Entries of a topic have one order, the same for every reader on every node. Awaited appends of one caller keep theirs.
/// There is no order across topics.</para>
/// <para><b>Continuity.</b> A reader believes that it has missed nothing after <c>L</c> only if the next entry's
/// <see cref="SseEntry.PreviousId"/> is <c>L</c>, or <see cref="SseSlice.Head"/> is. So a store that trims, restarts, fails over or is
/// wiped need not tell anybody: it must only never reuse an id, and never link an entry to one that did not precede it.</para>
/// <para><b>Failure.</b> A throw from <c>AppendAsync</c> reaches the publisher and says that nothing was stored; where that is not
/// known, it is an <see cref="SseUnknownOutcomeException"/>. A throw from the other two ends the streams that waited
/// for it so that the clients come back; readers that follow live try again by themselves.</para>
/// </remarks>
public interface ISseBacklog
{
    /// <summary>
    /// Stores an event, links it to the newest one, trims to the retention, and rings everyone who watches: all or nothing, in one step.
    /// </summary>
    /// <param name="topic">The topic; ordinal, 1–256 bytes of UTF-8, already checked.</param>
    /// <param name="append">The event.</param>
    /// <param name="cancellationToken">
    /// The publisher's token. Once the event is stored it must be reported as stored, or as unknown where the answer is not there yet.
    /// </param>
    /// <returns>The entry, with the id that it was given. From then on every <see cref="ReadAsync"/> finds it until it is trimmed.</returns>
    ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken);

    /// <summary>
    /// Stores several events in one step: all or nothing, one directly after the other, with one ring. A store that can't leaves this out: doing
    /// it one by one would be neither.
    /// </summary>
    /// <param name="topic">The topic, as for one event.</param>
    /// <param name="appends">The events; at least one. Their frames may lie in one array.</param>
    /// <param name="cancellationToken">As for one event.</param>
    /// <returns>The entries, in the order of the events, each the predecessor of the next.</returns>
    /// <exception cref="ArgumentException">They are more than the topic keeps; nothing was stored.</exception>
    /// <exception cref="NotSupportedException">The store can't do it; this is what it does unless it implements it.</exception>
    ValueTask<IReadOnlyList<SseEntry>> AppendAsync(string topic, IReadOnlyList<SseAppend> appends, CancellationToken cancellationToken) =>
        throw new NotSupportedException(
            $"{GetType().Name} can't store several events in one step. Implement {nameof(ISseBacklog)}.{nameof(AppendAsync)} for a list, or publish the events one by one.");

    /// <summary>Reads entries in order.</summary>
    /// <param name="topic">The topic. Reading one that nobody has published to gives an empty slice with a head.</param>
    /// <param name="after">
    /// The id after which to begin. Null, or an id that this topic does not know (any more, or never did): begin with the earliest entry.
    /// Such an id is not an error: it comes from clients and can hold anything of the id alphabet.
    /// </param>
    /// <param name="max">The most entries to return; fewer may be, but at least one where there is one. Zero asks for the head alone.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <returns>Head and entries of one moment.</returns>
    ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken);

    /// <summary>Asks to be rung when a topic grows. Rings may be missed or spurious: readers also look by themselves from time to time.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="grown">The bell: returns at once, never throws, may be called from any thread, also after disposal has begun.</param>
    /// <param name="cancellationToken">Ends the attempt to watch, not the watch.</param>
    /// <returns>The watch, active by then; disposing of it ends it.</returns>
    ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken);
}
