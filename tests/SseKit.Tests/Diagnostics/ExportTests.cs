using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using SseKit.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Diagnostics;

/// <summary>
/// The same numbers as OpenTelemetry hands them to its exporters. Alone: it takes the meters of all apps of a process for one, and when another
/// app ends it forgets what it has of this one.
/// </summary>
[CollectionDefinition(DisableParallelization = true)]
[Collection(typeof(ExportTests))]
public class ExportTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_every_end_that_a_stream_can_have_what_is_exported_is_balanced()
    {
        var time = new FakeTimeProvider();
        using var exporter = new Totals();
        HandSource[] sources = [new(), new(), new(), new(), new()];
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapGet("/exported/{number:int}", (int number) => new EventSourceResult(sources[number]));
                web.MapGet("/exported/none", () => new EventSourceResult(Events.Failing(new InvalidOperationException())));
            },
            services: services =>
            {
                services.AddSse(o =>
                {
                    (o.MaxConnections, o.MaxConnectionAge, o.ConnectionKey) = (5, TimeSpan.FromHours(1), context => context.Request.Path);
                    o.ReconnectSpread = TimeSpan.Zero;
                });
                services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter("SseKit").AddReader(new BaseExportingMetricReader(exporter)));
            },
            time: time);
        var meters = app.Web.Services.GetRequiredService<MeterProvider>();
        var streams = new List<SseTestStream>();
        for (var number = 0; number < sources.Length; number++)
        {
            streams.Add(await app.Client.OpenSseAsync($"/exported/{number}", cancellationToken: Stop));
            await sources[number].IsWaitedForAsync();
        }

        await using var refused = await app.Client.OpenSseAsync("/exported/0", cancellationToken: Stop);
        await refused.ReadToEndAsync(Stop);
        meters.ForceFlush();
        Assert.Equal(5, exporter.Of("ssekit.active_streams"));

        sources[0].End();
        sources[1].Fail(new InvalidOperationException());
        streams[2].Cut();
        app.Web.Services.GetRequiredService<ISseConnections>().EndStreams("/exported/3");
        await Streaming.Waiting.Until(() => Ended() == 4);
        await using var failed = await app.Client.OpenSseAsync("/exported/none", cancellationToken: Stop);
        time.Advance(TimeSpan.FromHours(2));
        await streams[4].ReadToEndAsync(Stop);
        await Streaming.Waiting.Until(() => Ended() == 6);

        Assert.Equal(0, exporter.Of("ssekit.active_streams"));
        Assert.Equal(1, exporter.Of("ssekit.stream.refusals ssekit.refusal.reason=limit"));
        Assert.Equal(
            [("aged", 1), ("completed", 1), ("ended", 1), ("failed", 2), ("left", 1)],
            new[] { "aged", "completed", "ended", "failed", "left" }.Select(reason => (reason, exporter.Of($"ssekit.stream.duration ssekit.stream.end_reason={reason}"))));

        int Ended()
        {
            meters.ForceFlush();
            return exporter.Of("ssekit.stream.duration");
        }
    }

    /// <summary>
    /// Keeps the newest total of each metric, over the routes of this test, and of each of its other attributes: a reader is handed what all apps
    /// of the process measure, and others are tested at the same time.
    /// </summary>
    private sealed class Totals : BaseExporter<Metric>
    {
        private ConcurrentDictionary<string, int> _totals = new();

        public int Of(string name) => _totals.GetValueOrDefault(name);

        public override ExportResult Export(in Batch<Metric> batch)
        {
            var totals = new ConcurrentDictionary<string, int>();
            foreach (var metric in batch)
            {
                foreach (ref readonly var point in metric.GetMetricPoints())
                {
                    var tags = new Dictionary<string, object?>();
                    foreach (var tag in point.Tags)
                    {
                        tags.Add(tag.Key, tag.Value);
                    }

                    if (tags.GetValueOrDefault("http.route") is not string route || !route.StartsWith("/exported/", StringComparison.Ordinal))
                    {
                        continue;
                    }

                    var value = metric.MetricType == MetricType.Histogram ? (int)point.GetHistogramCount() : (int)point.GetSumLong();
                    totals.AddOrUpdate(metric.Name, value, (_, sum) => sum + value);
                    foreach (var tag in tags)
                    {
                        totals.AddOrUpdate(string.Create(CultureInfo.InvariantCulture, $"{metric.Name} {tag.Key}={tag.Value}"), value, (_, sum) => sum + value);
                    }
                }
            }

            _totals = totals;
            return ExportResult.Success;
        }
    }
}
