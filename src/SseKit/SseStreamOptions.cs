using Microsoft.AspNetCore.Http;

namespace SseKit;

/// <summary>Choices for one endpoint or one result; what is left null is as <see cref="SseOptions"/> say. A result's choice beats its endpoint's.</summary>
public sealed class SseStreamOptions
{
    /// <summary>As <see cref="SseOptions.KeepAliveInterval"/>.</summary>
    public TimeSpan? KeepAliveInterval { get; set; }

    /// <summary>As <see cref="SseOptions.OnError"/>.</summary>
    public Func<HttpContext, Exception, SseEvent?>? OnError { get; set; }

    /// <summary>Topics: where a subscriber without a <c>Last-Event-ID</c> begins. Default <see cref="SseStart.Live"/>.</summary>
    public SseStart Start { get; set; }

    /// <summary>Topics: what follows a gap. Default <see cref="SseGapAction.Replay"/>.</summary>
    public SseGapAction OnGap { get; set; }

    /// <summary>
    /// Topics: the events that stand for everything up to now, for <see cref="SseStart.Snapshot"/> and <see cref="SseGapAction.Snapshot"/>.
    /// What is published while it runs follows it, so an event may be in both. Its events carry no <see cref="SseEvent.EventId"/>; the last
    /// one is sent when the snapshot ends, with the topic's position as its id.
    /// </summary>
    public Func<HttpContext, CancellationToken, IAsyncEnumerable<SseEvent>>? Snapshot { get; set; }

    /// <summary>Topics: as <see cref="SseOptions.SendStartPosition"/>.</summary>
    public bool? SendStartPosition { get; set; }

    /// <summary>Topics: as <see cref="SseOptions.GapEventType"/>.</summary>
    public string? GapEventType { get; set; }

    /// <summary>Whether they were found to be in order.</summary>
    internal bool IsChecked { get; set; }
}
