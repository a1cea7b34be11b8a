namespace SseKit.Topics;

/// <summary>How much a topic keeps.</summary>
/// <param name="MaxEvents">How many events.</param>
/// <param name="MaxBytes">How many bytes of whole frames.</param>
/// <param name="MaxAge">For how long, or <see cref="Timeout.InfiniteTimeSpan"/>.</param>
internal readonly record struct TopicRetention(int MaxEvents, long MaxBytes, TimeSpan MaxAge)
{
    public static TopicRetention Of(SseOptions options, string topic)
    {
        var rule = options.FindRetentionRule(topic);
        return new TopicRetention(rule?.MaxEvents ?? options.MaxEventsPerTopic, rule?.MaxBytes ?? options.MaxBytesPerTopic, rule?.MaxAge ?? options.MaxEventAge);
    }
}
