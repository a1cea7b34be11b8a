using System.Text.Json;

namespace SseKit;

/// <summary>The app's settings; see <c>AddSse</c>. Each is checked when the app starts.</summary>
public sealed class SseOptions
{
    /// <summary>
    /// After how much silence a keep-alive comment is sent, so that proxies do not take the connection for dead. Default 15 s; 100 ms to one
    /// day, or <see cref="Timeout.InfiniteTimeSpan"/> for none. When many streams fall due at once, some are served up to half an interval
    /// early; none is late.
    /// </summary>
    public TimeSpan KeepAliveInterval { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long a client waits before it reconnects, where SseKit tells it so: after a failure before the first event of a stream that the
    /// client had been on, when it gets this to twice this. Default 3 s, what browsers use by themselves; zero to one day.
    /// </summary>
    public TimeSpan ReconnectionInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How values become JSON. Default null: as the app's <c>Microsoft.AspNetCore.Http.Json.JsonOptions</c> say, in MVC too.</summary>
    public JsonSerializerOptions? JsonSerializerOptions { get; set; }

    /// <summary>
    /// The type of the event that tells a client that events are missing. Default <c>gap</c>; not empty, and not <c>open</c>, <c>error</c>
    /// or <c>message</c>, which fire other handlers of EventSource.
    /// </summary>
    public string GapEventType { get; set; } = "gap";

    /// <summary>
    /// Whether a stream of a topic that begins without an event first tells its position (an <c>id:</c> block without data), so that a client
    /// that is cut off before the first event loses nothing. Default true. Turn it off for <c>@microsoft/fetch-event-source</c>, which
    /// reports the block as an empty message.
    /// </summary>
    public bool SendStartPosition { get; set; } = true;

    /// <summary>How many events a topic keeps for replay. Default 1,000; 1 to 10,000,000. With an own <see cref="ISseBacklog"/>: how many of them this node keeps at hand.</summary>
    public int MaxEventsPerTopic { get; set; } = 1_000;

    /// <summary>How many bytes of encoded events a topic keeps for replay; the newest event is kept however large. Default 1 MiB; 1 KiB to 1 GiB.</summary>
    public long MaxBytesPerTopic { get; set; } = 1024 * 1024;

    /// <summary>How many topics the in-memory backlog holds. Default 10,000; 1 to 10,000,000. Publishing to one more fails.</summary>
    public int MaxTopics { get; set; } = 10_000;

    /// <summary>
    /// How often a node looks by itself into an own <see cref="ISseBacklog"/>, in case that a bell was missed. Default 5 s; 100 ms to one hour.
    /// </summary>
    public TimeSpan BacklogPollInterval { get; set; } = TimeSpan.FromSeconds(5);
}
