namespace SseKit.StackExchangeRedis;

/// <summary>How much Redis keeps of a topic: as the app's rules for topics say, and where they say nothing as the settings of the store do.</summary>
/// <param name="MaxEvents">How many events, at least.</param>
/// <param name="MaxAge">After what time an event is no longer replayed, or infinite.</param>
/// <param name="Expiry">After what time the topic is dropped when nobody uses it, or infinite. Never before its events are too old.</param>
internal readonly record struct RedisRetention(int MaxEvents, TimeSpan MaxAge, TimeSpan Expiry)
{
    public static RedisRetention Of(string topic, SseOptions topics, SseRedisOptions options)
    {
        var rule = topics.FindRetentionRule(topic);
        var maxAge = rule?.MaxAge ?? topics.MaxEventAge;
        var expiry = options.TopicExpiry == Timeout.InfiniteTimeSpan || maxAge <= options.TopicExpiry ? options.TopicExpiry : maxAge;
        return new RedisRetention(rule?.MaxEvents ?? options.MaxEvents, maxAge, expiry);
    }
}
