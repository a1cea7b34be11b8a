namespace SseKit.Streaming;

/// <summary>The registry as the app sees it.</summary>
internal sealed class SseConnections(StreamHost host, EndingRelay relay) : ISseConnections
{
    public int Count => host.Streams.Count;

    public int EndStreams(string key, SseEvent? last = null)
    {
        ArgumentNullException.ThrowIfNull(key);
        return host.Streams.End(key, last);
    }

    public ValueTask EndStreamsEverywhereAsync(string key, SseEvent? last = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (key.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("A key that is told to other nodes holds no NUL. Choose another ConnectionKey.", nameof(key));
        }

        if (last is { EventId: not null } or { IsComment: true })
        {
            throw new ArgumentException("The last event of a stream that is ended everywhere is no comment and carries no EventId. Put yours into the data.", nameof(last));
        }

        return relay.EndAsync(key, last, cancellationToken);
    }
}
