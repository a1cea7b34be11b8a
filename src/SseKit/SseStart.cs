namespace SseKit;

/// <summary>Where a subscriber without a <c>Last-Event-ID</c> begins.</summary>
public enum SseStart
{
    /// <summary>With what is published from now on (the default).</summary>
    Live,

    /// <summary>With the earliest event that is still kept.</summary>
    Earliest,

    /// <summary>With <see cref="SseStreamOptions.Snapshot"/>, then with what was published since the snapshot was begun.</summary>
    Snapshot,
}
