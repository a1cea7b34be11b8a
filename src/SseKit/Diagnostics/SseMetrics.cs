using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SseKit.Diagnostics;

/// <summary>
/// The meter. One a host, from its <see cref="IMeterFactory"/>, so that a listener can tell hosts apart; without a factory one for all.
/// Nothing here allocates, and what it takes to fill an attribute is asked for only where somebody listens.
/// </summary>
internal sealed class SseMetrics
{
    public const string Name = "SseKit";

    private const string Route = "http.route";

    public static readonly string Version = typeof(SseMetrics).Assembly.GetName().Version!.ToString(3);

    private static readonly SseMetrics Unowned = new(new Meter(Name, Version));

    private readonly UpDownCounter<long> _active;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _resumed;
    private readonly Counter<long> _events;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _keepAlives;
    private readonly Histogram<double> _flush;
    private readonly Counter<long> _gaps;
    private readonly Counter<long> _published;

    private SseMetrics(Meter meter)
    {
        _active = meter.CreateUpDownCounter<long>("ssekit.active_streams", "{stream}", "Streams that are open.");
        _duration = meter.CreateHistogram(
            "ssekit.stream.duration", "s", "How long a stream was open, and why it ended.", tags: null,
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 5, 15, 30, 60, 120, 300, 900, 3600, 14_400, 86_400] });
        _refused = meter.CreateCounter<long>("ssekit.stream.refusals", "{stream}", "Streams that were sent away, to come back later.");
        _resumed = meter.CreateCounter<long>("ssekit.stream.resumes", "{stream}", "Streams that were opened with a Last-Event-ID.");
        _events = meter.CreateCounter<long>("ssekit.stream.events", "{event}", "Events that were written to streams.");
        _bytes = meter.CreateCounter<long>("ssekit.stream.io", "By", "Bytes that were handed to the server, before any compression.");
        _keepAlives = meter.CreateCounter<long>("ssekit.stream.keep_alives", "{keep_alive}", "Keep-alives that were written to silent streams.");
        _flush = meter.CreateHistogram(
            "ssekit.stream.flush.duration", "s", "How long a flush waited for the client to read.", tags: null,
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30] });
        _gaps = meter.CreateCounter<long>("ssekit.topic.gaps", "{gap}", "Gaps that subscribers were told of.");
        _published = meter.CreateCounter<long>("ssekit.topic.publishes", "{event}", "Events that were published.");
    }

    public bool CountsEvents => _events.Enabled;

    public bool CountsBytes => _bytes.Enabled;

    public bool TimesFlushes => _flush.Enabled;

    public static SseMetrics Create(IMeterFactory? factory) => factory is null ? Unowned : new(factory.Create(Name, Version));

    /// <summary>A stream is open. Gives what <see cref="Closed"/> wants to know: who was not counted in must not be counted out.</summary>
    public bool Opened(string? route, bool resumes)
    {
        var counted = _active.Enabled;
        if (counted)
        {
            _active.Add(1, TagsOf(route));
        }

        if (resumes)
        {
            _resumed.Add(1, TagsOf(route));
        }

        return counted;
    }

    public void Closed(string? route, bool counted, TimeSpan duration, string reason)
    {
        if (counted)
        {
            _active.Add(-1, TagsOf(route));
        }

        if (_duration.Enabled)
        {
            var tags = TagsOf(route);
            tags.Add("ssekit.stream.end_reason", reason);
            _duration.Record(duration.TotalSeconds, tags);
        }
    }

    public void Refused(string? route, string reason)
    {
        var tags = TagsOf(route);
        tags.Add("ssekit.refusal.reason", reason);
        _refused.Add(1, tags);
    }

    public void Sent(string? route, int events) => _events.Add(events, TagsOf(route));

    public void Flushing(string? route, long bytes) => _bytes.Add(bytes, TagsOf(route));

    public void Flushed(string? route, TimeSpan duration) => _flush.Record(duration.TotalSeconds, TagsOf(route));

    public void KeptAlive(string? route) => _keepAlives.Add(1, TagsOf(route));

    public void Gap(string reason) => _gaps.Add(1, new KeyValuePair<string, object?>("ssekit.gap.reason", reason));

    public void Published(int events = 1) => _published.Add(events);

    private static TagList TagsOf(string? route)
    {
        var tags = default(TagList);
        if (route is not null)
        {
            tags.Add(Route, route);
        }

        return tags;
    }
}
