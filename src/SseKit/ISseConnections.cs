namespace SseKit;

/// <summary>The event streams that are open on this node. Registered by <c>AddSse()</c>; safe for use from many threads.</summary>
public interface ISseConnections
{
    /// <summary>How many are open.</summary>
    int Count { get; }

    /// <summary>
    /// Ends the streams of one <see cref="SseOptions.ConnectionKey"/>: after a logout, or when a right was revoked. Their clients reconnect,
    /// and are turned away by whatever guards the endpoint.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="last">The event that tells them why; null for none.</param>
    /// <returns>How many were open.</returns>
    int EndStreams(string key, SseEvent? last = null);

    /// <summary>
    /// The same on all nodes that share an <see cref="ISseBacklog"/>, as those on one Redis do. At most once: a node that is cut off from the store
    /// at this moment does not hear of it, so <see cref="SseOptions.MaxConnectionAge"/> or the ticket's expiry should end its streams in time.
    /// </summary>
    /// <param name="key">The key, as for <see cref="EndStreams"/>; without NUL.</param>
    /// <param name="last">The event that tells them why, without an <see cref="SseEvent.EventId"/> and no comment; null for none.</param>
    /// <param name="cancellationToken">Ends the attempt to tell the other nodes.</param>
    /// <returns>Completes when this node's streams end and the others have been told, as well as can be.</returns>
    /// <exception cref="ArgumentException">The key or the event is not acceptable; nothing was ended.</exception>
    /// <exception cref="NotSupportedException">The topics live in an <see cref="ISseBacklog"/> that is no <see cref="ISseRelay"/>; nothing was ended.</exception>
    ValueTask EndStreamsEverywhereAsync(string key, SseEvent? last = null, CancellationToken cancellationToken = default);
}
