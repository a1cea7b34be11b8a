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
}
