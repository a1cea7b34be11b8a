namespace SseKit;

/// <summary>How much the topics of one kind keep for replay; see <see cref="SseOptions.Retention"/>. What is not set is as the options say for all topics.</summary>
public sealed class SseRetentionRule
{
    /// <summary>
    /// The topic; with a <c>*</c> at the end, every topic whose name begins with what stands before it: <c>orders/*</c>, or <c>*</c> for all.
    /// Compared ordinally. No default: it must be set.
    /// </summary>
    public string Topic { get; set; } = "";

    /// <summary>How many events such a topic keeps. Default null: as <see cref="SseOptions.MaxEventsPerTopic"/>; 1 to 10,000,000.</summary>
    public int? MaxEvents { get; set; }

    /// <summary>How many bytes of encoded events such a topic keeps. Default null: as <see cref="SseOptions.MaxBytesPerTopic"/>; 1 KiB to 1 GiB.</summary>
    public long? MaxBytes { get; set; }

    /// <summary>
    /// After what time an event of such a topic is no longer replayed. Default null: as <see cref="SseOptions.MaxEventAge"/>; 1 s to 365 days, or
    /// <see cref="Timeout.InfiniteTimeSpan"/> for never.
    /// </summary>
    public TimeSpan? MaxAge { get; set; }
}
