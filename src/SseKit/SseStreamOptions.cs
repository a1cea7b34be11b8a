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

    /// <summary>
    /// Topics: which events a subscriber gets. Called once for each subscriber, with its request; what it returns is asked about the type and
    /// the key of each event, and null lets all of them pass. Default null: all. What it returns comes to be called from any thread, though
    /// never twice at once, and for every event of the topic: let it be quick, and not use the request.
    /// </summary>
    /// <remarks>
    /// <para>In two steps, so that a subscriber's rights are looked up once and not for each event: <c>o.Filter = context => { var user =
    /// context.User.Identity?.Name; return item => item.Key == user; }</c>. What takes time to look up is awaited in the handler, before
    /// <see cref="EventSourceResult.FromTopic(string, Action{SseStreamOptions}?)"/>. Rights that change while a stream is open are for
    /// <see cref="SseOptions.MaxConnectionAge"/> and <see cref="ISseConnections.EndStreams"/>.</para>
    /// <para>Gaps, snapshots and positions are not filtered. A client that comes back goes on after the last event that it was given: where
    /// more than is kept was published since, it is told of a gap, though nothing of it may have been for it.
    /// <see cref="SseOptions.SendCheckpoints"/> mends that. What a filter throws ends its own stream, as any failure does (<see cref="OnError"/>).</para>
    /// </remarks>
    public Func<HttpContext, Func<SseTopicEvent, bool>?>? Filter { get; set; }

    /// <summary>Topics: as <see cref="SseOptions.SendStartPosition"/>.</summary>
    public bool? SendStartPosition { get; set; }

    /// <summary>Topics: as <see cref="SseOptions.SendCheckpoints"/>.</summary>
    public bool? SendCheckpoints { get; set; }

    /// <summary>Topics: as <see cref="SseOptions.GapEventType"/>.</summary>
    public string? GapEventType { get; set; }
}
