namespace SseKit;

/// <summary>
/// An optional capability of an <see cref="ISseBacklog"/>, which its class implements beside it: passing events that are not kept to all nodes,
/// for <see cref="ISseTopics.PublishEphemeralAsync"/>.
/// </summary>
/// <remarks>
/// <para>The contract. Both members are called from many threads at once, for the same topic too.</para>
/// <para><b>Delivery.</b> At most once: what gets lost, with a connection or in a queue that is full, is lost. Nothing is kept for who does
/// not listen.</para>
/// <para><b>Order.</b> One caller's awaited sends arrive in their order wherever they do, and after the ring of
/// <see cref="ISseBacklog.WatchAsync"/> for what that caller had stored before; as well as can be.</para>
/// </remarks>
public interface ISseRelay
{
    /// <summary>Sends an event to everyone who listens, on this node too. A throw reaches the publisher; whether some have it is not known then.</summary>
    /// <param name="topic">The topic; ordinal, 1–256 bytes of UTF-8, already checked.</param>
    /// <param name="item">The event.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>Completes when it is on its way.</returns>
    ValueTask SendAsync(string topic, SseAppend item, CancellationToken cancellationToken);

    /// <summary>Asks for the events that are sent to a topic.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="received">
    /// Takes an event, with frame, type and key as they were sent; the frame's memory may be kept. Returns at once, never throws, is called by
    /// one thread at a time, and perhaps once more after disposal has begun.
    /// </param>
    /// <param name="cancellationToken">Ends the attempt to listen, not the listening.</param>
    /// <returns>The listening, active by then; disposing of it ends it.</returns>
    ValueTask<IAsyncDisposable> ListenAsync(string topic, Action<SseAppend> received, CancellationToken cancellationToken);
}
