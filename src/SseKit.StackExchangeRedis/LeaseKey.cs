namespace SseKit.StackExchangeRedis;

/// <summary>
/// The key of a topic's lease. It is in the topic's slot: a cluster hashes what stands between the first braces of a key, or all of it.
/// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
/// </summary>
internal static class LeaseKey
{
    public static string Of(string key)
    {
        var open = key.IndexOf('{', StringComparison.Ordinal);
        var close = open < 0 ? -1 : key.IndexOf('}', open);

        // In front, where no topic's key begins so: all begin with the prefix.
        return close > open + 1 ? $"lease:{key}" : $"lease:{{{key}}}";
    }
}
