using System.Text.Json;
using Microsoft.AspNetCore.Http;
using SseKit.Topics;

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
    /// How long a client is to wait before it reconnects. It is told so where it is sent away (over a limit, after a failure of the store), and
    /// at the start of every stream where <see cref="ReconnectDelay"/> is set. Default 3 s, what browsers use by themselves; zero to one day.
    /// </summary>
    public TimeSpan ReconnectionInterval { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How long clients are to stay away when the app stops. Behind a single proxy this should outlast the restart, since the proxy's 502 would
    /// end their EventSource for good. Default null: <see cref="ReconnectionInterval"/>; zero to one day.
    /// </summary>
    public TimeSpan? ReconnectDelay { get; set; }

    /// <summary>
    /// Over how long the return of clients that are sent away at the same time is spread: each is told its own time. Default 3 s; zero to one
    /// day.
    /// </summary>
    public TimeSpan ReconnectSpread { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Over how long the ends of streams are spread when the app stops, the newest last. Default zero: all at once. It must be shorter than
    /// <c>HostOptions.ShutdownTimeout</c>.
    /// </summary>
    public TimeSpan DrainWindow { get; set; }

    /// <summary>An event that every stream of SseKit's own ends with when the app stops. Default null: none.</summary>
    public SseEvent? DrainEvent { get; set; }

    /// <summary>
    /// How many streams may be open. One more is answered with 200, a <c>retry:</c> and an end, because any other status would keep an
    /// EventSource from ever coming back. Default null: no limit; at least 1.
    /// </summary>
    public int? MaxConnections { get; set; }

    /// <summary>How many streams of one <see cref="ConnectionKey"/> may be open; as <see cref="MaxConnections"/>.</summary>
    public int? MaxConnectionsPerKey { get; set; }

    /// <summary>
    /// Whom a stream belongs to, for <see cref="MaxConnectionsPerKey"/> and <see cref="ISseConnections.EndStreams"/>: the user, the session, the
    /// address. Null, from the function too: nobody.
    /// </summary>
    public Func<HttpContext, string?>? ConnectionKey { get; set; }

    /// <summary>
    /// How long a stream may be open; each ends up to a tenth earlier, at a time of its own, and its client reconnects. Default null: no limit;
    /// 1 s or more.
    /// </summary>
    public TimeSpan? MaxConnectionAge { get; set; }

    /// <summary>
    /// Whether a stream ends when the authentication ticket of its request expires (to the second), so that the reconnect asks again who it is.
    /// Default true.
    /// </summary>
    public bool EndWhenTicketExpires { get; set; } = true;

    /// <summary>
    /// How long a client may leave what was sent to it unread before it is cut off (to the second). What waits for it is at most the server's
    /// response buffer (64 KiB in Kestrel) and 64 KiB of events, or one larger event. Over HTTP/1.1 it stands in for Kestrel's
    /// <c>MinResponseDataRate</c>, whose patience may end after 5 s; over HTTP/2 and HTTP/3 both hold. On Linux a peer that vanished is found
    /// out after the same time. Default 30 s; 1 s to 1 hour, or <see cref="Timeout.InfiniteTimeSpan"/>, which leaves it all to the server.
    /// </summary>
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Called once when a stream fails after it began, or before where a client resumes, which then gets no HTTP error; the event that it
    /// returns is the last that the client gets. What it throws is logged.
    /// </summary>
    public Func<HttpContext, Exception, SseEvent?>? OnError { get; set; }

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

    /// <summary>
    /// The type of the event that tells readers of a producer that it has ended, and how. Default <c>end</c>; with the rules of
    /// <see cref="GapEventType"/>, and another one.
    /// </summary>
    public string EndEventType { get; set; } = "end";

    /// <summary>
    /// Within what time it is found out that the process died that ran a producer. Renewed every quarter of it. Default 10 s; 1 s to 1 hour.
    /// </summary>
    public TimeSpan ProducerLease { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// For how long producers may go on when the app stops, counted from the beginning of the stop; their readers are drained meanwhile. What
    /// runs then is handed over to another node or to the next start. Default 5 s; zero to one day, cut short by
    /// <c>HostOptions.ShutdownTimeout</c>.
    /// </summary>
    public TimeSpan ProducerDrainTime { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether a subscriber of a topic that was given nothing for a while, since its filter let nothing pass, is told the newest position in
    /// place of a keep-alive comment (an <c>id:</c> block without data), wherever its client does not have it yet: so that coming back after
    /// hours costs little and finds no gap that held nothing for it. Default false, because <c>@microsoft/fetch-event-source</c> reports the
    /// block as an empty message; clients on <c>eventsource-parser</c> before version 4 ignore it. It needs <see cref="KeepAliveInterval"/>.
    /// </summary>
    public bool SendCheckpoints { get; set; }

    /// <summary>How many events a topic keeps for replay. Default 1,000; 1 to 10,000,000. With an own <see cref="ISseBacklog"/>: how many of them this node keeps at hand.</summary>
    public int MaxEventsPerTopic { get; set; } = 1_000;

    /// <summary>How many bytes of encoded events, and of their keys, a topic keeps for replay; the newest event is kept however large. Default 1 MiB; 1 KiB to 1 GiB.</summary>
    public long MaxBytesPerTopic { get; set; } = 1024 * 1024;

    /// <summary>
    /// After what time an event is no longer replayed; who comes back from before it is told of a gap. Default
    /// <see cref="Timeout.InfiniteTimeSpan"/>: never; else 1 s to 365 days, kept to a tenth of a second. Its memory is given back after at most
    /// a quarter more.
    /// </summary>
    public TimeSpan MaxEventAge { get; set; } = Timeout.InfiniteTimeSpan;

    /// <summary>
    /// How many bytes an event may take that is published to a topic, encoded and without its id; a larger one is refused. Default 1 MiB, since an
    /// event that a topic could not keep beside another drives out all others; 1 KiB to 1 GiB. Streams that read no topic are not limited.
    /// </summary>
    public int MaxEventSize { get; set; } = 1024 * 1024;

    /// <summary>
    /// What is kept of topics for which <see cref="MaxEventsPerTopic"/>, <see cref="MaxBytesPerTopic"/> and <see cref="MaxEventAge"/> are not right.
    /// The first rule that matches a topic counts, and what it leaves out is as those say. Default: no rules. With an own
    /// <see cref="ISseBacklog"/> they too say what this node keeps at hand; a store may ask <see cref="FindRetentionRule"/> and keep to them itself.
    /// </summary>
    public IList<SseRetentionRule> Retention { get; } = [];

    /// <summary>How many topics the in-memory backlog holds. Default 10,000; 1 to 10,000,000. Publishing to one more fails.</summary>
    public int MaxTopics { get; set; } = 10_000;

    /// <summary>
    /// After what time the in-memory backlog drops a topic that nobody publishes to and nobody reads, so that topics of the past do not fill
    /// <see cref="MaxTopics"/>. Who comes back later is told of a gap. Events are kept for <see cref="MaxEventAge"/> all the same where there is one.
    /// Default 1 hour: longer than a client that wants to come back stays away, short enough for a topic per job. 1 minute to 365 days, or
    /// <see cref="Timeout.InfiniteTimeSpan"/> for never; it may take a quarter longer.
    /// </summary>
    public TimeSpan IdleTopicTimeout { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How often a node looks by itself into an own <see cref="ISseBacklog"/>, in case that a bell was missed. Default 5 s; 100 ms to one hour.
    /// </summary>
    public TimeSpan BacklogPollInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The rule of <see cref="Retention"/> that counts for a topic.</summary>
    /// <param name="topic">The topic.</param>
    /// <returns>The first one that matches; null when none does.</returns>
    public SseRetentionRule? FindRetentionRule(string topic)
    {
        ArgumentNullException.ThrowIfNull(topic);
        foreach (var rule in Retention)
        {
            if (TopicPattern.Matches(rule.Topic, topic))
            {
                return rule;
            }
        }

        return null;
    }
}
