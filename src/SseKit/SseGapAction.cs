namespace SseKit;

/// <summary>What follows when a subscriber can't be given everything after its <c>Last-Event-ID</c>. It is always told first.</summary>
public enum SseGapAction
{
    /// <summary>Everything that is still kept, then live (the default).</summary>
    Replay,

    /// <summary>Only what is published from now on.</summary>
    Live,

    /// <summary><see cref="SseStreamOptions.Snapshot"/>, then what was published since the snapshot was begun.</summary>
    Snapshot,
}
