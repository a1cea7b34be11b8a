namespace SseKit.Streaming;

/// <summary>The registry as the app sees it.</summary>
internal sealed class SseConnections(StreamHost host) : ISseConnections
{
    public int Count => host.Streams.Count;

    public int EndStreams(string key, SseEvent? last = null)
    {
        ArgumentNullException.ThrowIfNull(key);
        return host.Streams.End(key, last);
    }
}
