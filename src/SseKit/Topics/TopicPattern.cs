namespace SseKit.Topics;

/// <summary>Which topics a <see cref="SseRetentionRule"/> means: one by its name, or with a star at the end all that begin so.</summary>
internal static class TopicPattern
{
    private const char Star = '*';

    public static bool Matches(string pattern, string topic) =>
        pattern.EndsWith(Star) ? topic.AsSpan().StartsWith(pattern.AsSpan(0, pattern.Length - 1), StringComparison.Ordinal) : pattern == topic;

    /// <summary>Whether everything that <paramref name="other"/> matches is matched already.</summary>
    public static bool Covers(string pattern, string other) => pattern == other || (pattern.EndsWith(Star) && Matches(pattern, other));

    /// <summary>What is wrong with it, and the cure; null when it is fine.</summary>
    public static string? Fault(string? pattern)
    {
        if (string.IsNullOrEmpty(pattern))
        {
            return "is empty; set it to a topic's name, or to what names begin with and a '*', such as 'orders/*'.";
        }

        if (pattern.AsSpan(0, pattern.Length - 1).Contains(Star))
        {
            return $"is '{pattern}'; a '*' may only stand at its end, such as 'orders/*'.";
        }

        return TopicName.Fault(pattern) is { } fault ? $"{fault}, as no topic's name is; see {nameof(ISseTopics)}." : null;
    }
}
