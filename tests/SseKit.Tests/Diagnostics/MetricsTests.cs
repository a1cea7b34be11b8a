using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Diagnostics;
using SseKit.Testing;
using SseKit.Tests.Repository;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Diagnostics;

public sealed partial class MetricsTests
{
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_meter_has_exactly_the_instruments_of_the_readme()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapSse("/", "orders"), services => services.AddSse());
        using var readings = new Readings(app.Web);

        var documented = Row().Matches(Sources.Text("README.md").ReplaceLineEndings("\n"))
            .Select(row => $"{row.Groups[1].Value} {row.Groups[2].Value} {row.Groups[3].Value}");

        Assert.Equal(documented.Order(StringComparer.Ordinal), readings.Instruments.Select(Describe).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_stream_that_its_source_ends_is_completed()
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Of("a"))));

        await AssertEndAsync(app, "completed", stream => stream.ReadToEndAsync(Stop));
    }

    [Fact]
    public async Task A_stream_whose_source_throws_has_failed()
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Failing(new InvalidOperationException(), "a"))));

        await AssertEndAsync(app, "failed", stream => stream.ReadToEndAsync(Stop));
    }

    [Fact]
    public async Task A_stream_that_never_began_has_failed()
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Failing(new InvalidOperationException()))));

        await AssertEndAsync(app, "failed", stream =>
        {
            Assert.Equal(System.Net.HttpStatusCode.InternalServerError, stream.StatusCode);
            return Task.CompletedTask;
        });
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_stream_whose_client_goes_away_was_left(string http)
    {
        await using var app = await TestApp.StartAsync(MapSilence, http);

        await AssertEndAsync(app, "left", stream =>
        {
            stream.Cut();
            return Task.CompletedTask;
        });
    }

    [Fact]
    public async Task A_stream_that_ends_with_the_app_was_stopping()
    {
        var source = new HandSource(obeysToken: false);
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)));

        await AssertEndAsync(app, "stopping", async stream =>
        {
            await source.IsWaitedForAsync();
            var stop = app.Web.StopAsync(Stop);
            await stream.ReadToEndAsync(Stop);
            source.End();
            await stop.Soon();
        });
    }

    [Fact]
    public async Task A_stream_that_the_app_ends_was_ended()
    {
        await using var app = await TestApp.StartAsync(MapSilence, services: services => services.AddSse(options => options.ConnectionKey = _ => "ann"));

        await AssertEndAsync(app, "ended", stream =>
        {
            app.Web.Services.GetRequiredService<ISseConnections>().EndStreams("ann");
            return stream.ReadToEndAsync(Stop);
        });
    }

    [Fact]
    public async Task A_stream_that_reaches_its_age_has_aged()
    {
        await using var app = await TestApp.StartAsync(
            MapSilence, services: services => services.AddSse(options => options.MaxConnectionAge = TimeSpan.FromMinutes(1)), time: _time);

        await AssertEndAsync(app, "aged", stream =>
        {
            _time.Advance(TimeSpan.FromMinutes(2));
            return stream.ReadToEndAsync(Stop);
        });
    }

    [Fact]
    public async Task A_stream_whose_client_does_not_read_has_stalled()
    {
        var flood = Enumerable.Repeat(new SseEvent(new string('x', 1024 * 1024)), 16);
        await using var app = await TestApp.StartAsync(
            web => web.MapGet("/", () => new EventSourceResult(flood.ToAsyncEnumerable())),
            services: services => services.Configure<SseOptions>(options => options.WriteTimeout = TimeSpan.FromMinutes(2)),
            time: _time);
        using var readings = new Readings(app.Web);
        using var stalled = await RawClient.ConnectAsync(app.Port, receiveBuffer: 4096);
        await stalled.GetAsync("/");
        await stalled.ReadToAsync("\r\n\r\n");

        await Streaming.Waiting.Until(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return readings.Count("ssekit.stream.duration") == 1;
        });

        AssertEnded(readings, "stalled");
    }

    [Fact]
    public async Task A_stream_over_the_limit_is_refused_and_was_never_open()
    {
        await using var app = await TestApp.StartAsync(MapSilence, services: services => services.AddSse(options => options.MaxConnections = 1));
        using var readings = new Readings(app.Web);
        await using var first = await app.Client.OpenSseAsync("/", cancellationToken: Stop);
        await using var second = await app.Client.OpenSseAsync("/", cancellationToken: Stop);
        await second.ReadToEndAsync(Stop);

        Assert.Equal(1, readings.Sum("ssekit.stream.refusals", "http.route=/,ssekit.refusal.reason=limit"));
        Assert.Equal(1, readings.Sum("ssekit.active_streams"));
        Assert.Equal(0, readings.Count("ssekit.stream.duration"));
    }

    [Fact]
    public async Task What_a_stream_sends_is_counted_by_route()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/room/{id}", () => new EventSourceResult(source)), time: _time);
        using var readings = new Readings(app.Web);
        var began = _time.GetUtcNow();
        await using var stream = await app.Client.OpenSseAsync("/room/7", cancellationToken: Stop);

        source.Emit("a");
        source.Emit(SseEvent.Comment("not counted"));
        source.Emit(new SseEvent("b\n\nc") { EventId = "1" });
        await stream.NextEventAsync(Stop);
        await stream.NextEventAsync(Stop);
        await Streaming.Waiting.Until(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return readings.Count("ssekit.stream.keep_alives") > 0;
        });
        source.End();
        await stream.ReadToEndAsync(Stop);
        await Streaming.Waiting.Until(() => readings.Count("ssekit.stream.duration") == 1);

        Assert.Equal(2, readings.Sum("ssekit.stream.events", "http.route=/room/{id}"));
        // All but the one that opens the stream.
        Assert.Equal(stream.Text.Split('\n').Count(line => line == ":") - 1, readings.Sum("ssekit.stream.keep_alives", "http.route=/room/{id}"));
        Assert.Equal(stream.Bytes.Length, readings.Sum("ssekit.stream.io", "http.route=/room/{id}"));
        Assert.NotEqual(0, readings.Count("ssekit.stream.flush.duration", "http.route=/room/{id}"));
        Assert.InRange(readings.Sum("ssekit.stream.duration"), 15, (_time.GetUtcNow() - began).TotalSeconds);
    }

    [Fact]
    public async Task What_topics_do_is_counted_event_by_event()
    {
        await using var app = await TestApp.StartAsync(
            web => web.MapSse("/live", "orders", options => options.Start = SseStart.Earliest), services: services => services.AddSse());
        using var readings = new Readings(app.Web);
        var topics = app.Web.Services.GetRequiredService<ISseTopics>();
        var ids = new List<string>();
        foreach (var text in new[] { "a", "b\n\nc", "d" })
        {
            ids.Add(await topics.PublishAsync("orders", text, Stop));
        }

        await using var all = await app.Client.OpenSseAsync("/live", cancellationToken: Stop);
        await ReadToAsync(all, ids[2]);
        await using var resumed = await app.Client.OpenSseAsync("/live", o => o.LastEventId = ids[0], Stop);
        await ReadToAsync(resumed, ids[2]);
        await using var lost = await app.Client.OpenSseAsync("/live", o => o.LastEventId = "nonsense!", Stop);
        await ReadToAsync(lost, ids[2]);

        // Three from the beginning, two after the first, and a gap before all three.
        await Streaming.Waiting.Until(() => readings.Sum("ssekit.stream.events", "http.route=/live") == 9);
        Assert.Equal(3, readings.Sum("ssekit.topic.publishes", ""));
        Assert.Equal(2, readings.Sum("ssekit.stream.resumes", "http.route=/live"));
        Assert.Equal(1, readings.Sum("ssekit.topic.gaps", "ssekit.gap.reason=malformed"));
        Assert.Equal(1, readings.Count("ssekit.topic.gaps"));
    }

    [Fact]
    public async Task The_position_at_the_start_is_no_event()
    {
        await using var app = await TestApp.StartAsync(web => web.MapSse("/live", "orders"), services: services => services.AddSse());
        using var readings = new Readings(app.Web);
        await using var stream = await app.Client.OpenSseAsync("/live", cancellationToken: Stop);
        await stream.NextAsync(Stop);
        await app.Web.Services.GetRequiredService<ISseTopics>().PublishAsync("orders", "a", Stop);
        await stream.NextEventAsync(Stop);

        await Streaming.Waiting.Until(() => readings.Sum("ssekit.stream.events") > 0);
        Assert.Equal(1, readings.Sum("ssekit.stream.events"));
    }

    [Fact]
    public async Task Who_begins_to_listen_while_a_stream_is_open_does_not_see_it_close()
    {
        await using var app = await TestApp.StartAsync(MapSilence);
        await using var stream = await app.Client.OpenSseAsync("/", cancellationToken: Stop);
        using var readings = new Readings(app.Web);
        stream.Cut();

        await Streaming.Waiting.Until(() => readings.Count("ssekit.stream.duration") == 1);
        Assert.Equal(0, readings.Count("ssekit.active_streams"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Measuring_allocates_nothing(bool listened)
    {
        using var meters = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var metrics = SseMetrics.Create(meters.GetRequiredService<IMeterFactory>());
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, listener) =>
        {
            if (listened && ReferenceEquals(instrument.Meter.Scope, meters.GetRequiredService<IMeterFactory>()))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>(static (_, _, _, _) => { });
        listener.SetMeasurementEventCallback<double>(static (_, _, _, _) => { });
        listener.Start();
        Measure();

        var before = GC.GetAllocatedBytesForCurrentThread();
        Measure();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Measure()
        {
            for (var i = 0; i < 100; i++)
            {
                var counted = metrics.Opened("/live", resumes: true);
                metrics.Sent("/live", 3);
                metrics.Flushing("/live", 100);
                metrics.Flushed("/live", TimeSpan.FromSeconds(1));
                metrics.KeptAlive("/live");
                metrics.Gap("trimmed");
                metrics.Published();
                metrics.Refused("/live", "limit");
                metrics.Closed("/live", counted, TimeSpan.FromSeconds(1), "left");
            }
        }
    }

    private static async Task ReadToAsync(SseTestStream stream, string id)
    {
        while ((await stream.NextEventAsync(Stop)).EventId != id)
        {
        }
    }

    private static async Task AssertEndAsync(TestApp app, string reason, Func<SseTestStream, Task> endAsync)
    {
        using var readings = new Readings(app.Web);
        await using var stream = await app.Client.OpenSseAsync("/", cancellationToken: Stop);
        await Streaming.Waiting.Until(() => readings.Count("ssekit.active_streams") > 0);

        await endAsync(stream);

        await Streaming.Waiting.Until(() => readings.Count("ssekit.stream.duration") == 1);
        AssertEnded(readings, reason);
    }

    private static void AssertEnded(Readings readings, string reason)
    {
        Assert.Equal(1, readings.Count("ssekit.stream.duration", $"http.route=/,ssekit.stream.end_reason={reason}"));
        Assert.Equal(2, readings.Count("ssekit.active_streams", "http.route=/"));
        Assert.Equal(0, readings.Sum("ssekit.active_streams", "http.route=/"));
    }

    private static void MapSilence(WebApplication web) => web.MapGet("/", () => new EventSourceResult(Events.Silence()));

    private static string Describe(Instrument instrument) => instrument switch
    {
        UpDownCounter<long> => $"{instrument.Name} updowncounter {instrument.Unit}",
        Counter<long> => $"{instrument.Name} counter {instrument.Unit}",
        Histogram<double> => $"{instrument.Name} histogram {instrument.Unit}",
        _ => $"{instrument.Name} of an unknown kind",
    };

    [GeneratedRegex(@"^\| `(ssekit\.[a-z_.]+)` \| (\w+), `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
