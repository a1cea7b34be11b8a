using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace SseKit.StackExchangeRedis;

/// <summary>Warns once a topic of what others put into its stream.</summary>
internal sealed class ForeignEntries(ILogger logger)
{
    private const int MostTopics = 1_000;

    private readonly ConcurrentDictionary<string, bool> _warned = new(StringComparer.Ordinal);

    public void Skipped(string topic)
    {
        if (_warned.Count < MostTopics && _warned.TryAdd(topic, true))
        {
            Log.ForeignEntry(logger, topic);
        }
    }
}
