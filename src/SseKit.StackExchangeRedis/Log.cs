using Microsoft.Extensions.Logging;

namespace SseKit.StackExchangeRedis;

/// <summary>Everything that the Redis backlog logs. Ids are stable.</summary>
internal static partial class Log
{
    [LoggerMessage(101, LogLevel.Warning, "The Redis stream of topic {Topic} holds entries that SseKit did not write; they are skipped. Nobody else may write under the key prefix. This is said once for each topic.", EventName = "ForeignEntry")]
    public static partial void ForeignEntry(ILogger logger, string topic);

    [LoggerMessage(102, LogLevel.Error, "Topics can't be kept in Redis: {Reason} The app goes on; publishing fails and streams are told to come back until it works.", EventName = "RedisUnusable")]
    public static partial void RedisUnusable(ILogger logger, string reason, Exception? exception);
}
