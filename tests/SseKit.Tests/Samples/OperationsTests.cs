using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net.Http.Json;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Testing;
using SseKit.Tests.Diagnostics;
using SseKit.Tests.Repository;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Samples;

/// <summary>The sample for operators: what it exports, and what its dashboard asks for.</summary>
public sealed partial class OperationsTests
{
    [Fact]
    public async Task The_dashboard_asks_for_what_the_meter_exports_and_for_all_of_it()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapSse("/", "orders"), services => services.AddSse());
        using var readings = new Readings(app.Web);
        var instruments = readings.Instruments.ToList();
        var queries = Queries().Select(query => ByLabels().Replace(query, "")).ToList();

        var asked = queries.SelectMany(query => Metric().Matches(query).Select(match => match.Value)).ToHashSet();

        Assert.Empty(asked.Except(instruments.SelectMany(PrometheusNames)));
        Assert.All(instruments, instrument => Assert.NotEmpty(PrometheusNames(instrument).Intersect(asked)));
    }

    [Fact]
    public void The_dashboard_groups_by_attributes_that_the_readme_lists()
    {
        var attributes = Attribute().Matches(Sources.Text("README.md")).Select(match => match.Value.Replace('.', '_')).ToHashSet();
        var labels = Queries().SelectMany(query => ByLabels().Matches(query)).SelectMany(by => by.Groups[1].Value.Split(", ")).ToHashSet();

        Assert.NotEmpty(labels);
        Assert.Empty(labels.Except(attributes).Except(["le"]));
    }

    [Fact]
    public async Task The_sample_exports_metrics_and_spans_to_a_collector()
    {
        var exported = new ConcurrentBag<string>();
        await using var collector = await TestApp.StartAsync(web => web.MapPost("/v1/{signal}", async (HttpRequest request) =>
        {
            // Names stand in the messages as they are.
            using var message = new MemoryStream();
            await request.Body.CopyToAsync(message);
            exported.Add(Encoding.Latin1.GetString(message.ToArray()));
        }));
        using var sample = Start(collector.Client.BaseAddress!);
        try
        {
            using var client = new HttpClient { BaseAddress = await AddressOfAsync(sample) };
            await using var live = await client.OpenSseAsync("/orders/live", cancellationToken: TestContext.Current.CancellationToken);
            using var post = await client.PostAsJsonAsync("/orders", new { id = 1, what = "tea" }, TestContext.Current.CancellationToken).Soon();
            post.EnsureSuccessStatusCode();

            await Streaming.Waiting.Until(() => exported.Any(message => message.Contains("ssekit.active_streams", StringComparison.Ordinal)));
            await Streaming.Waiting.Until(() => exported.Any(message => message.Contains("publish orders", StringComparison.Ordinal)));
        }
        finally
        {
            sample.Kill();
        }
    }

    private static Process Start(Uri collector)
    {
        var configuration = typeof(OperationsTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var folder = Path.Combine(Sources.Root, "samples", "Operations");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(folder, "bin", configuration, "net10.0", "Operations.dll"), "--urls", "http://127.0.0.1:0"])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
        };
        start.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.ToString();
        start.Environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
        start.Environment["OTEL_METRIC_EXPORT_INTERVAL"] = "200";
        start.Environment["OTEL_BSP_SCHEDULE_DELAY"] = "200";
        return Process.Start(start)!;
    }

    private static async Task<Uri> AddressOfAsync(Process sample)
    {
        while (await sample.StandardOutput.ReadLineAsync().Soon() is { } line)
        {
            if (Listening().Match(line) is { Success: true } match)
            {
                _ = sample.StandardOutput.ReadToEndAsync();
                return new Uri(match.Groups[1].Value);
            }
        }

        throw new InvalidOperationException("The sample ended before it listened.");
    }

    private static IEnumerable<string> Queries()
    {
        using var dashboard = JsonDocument.Parse(Sources.Text("samples", "Operations", "grafana.json"));
        return
        [
            .. from panel in dashboard.RootElement.GetProperty("panels").EnumerateArray()
               from target in panel.GetProperty("targets").EnumerateArray()
               select target.GetProperty("expr").GetString(),
        ];
    }

    /// <summary>The names under which Prometheus keeps an instrument: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/.</summary>
    private static string[] PrometheusNames(Instrument instrument)
    {
        var unit = instrument.Unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        var name = instrument.Name.Replace('.', '_') + unit;
        return instrument switch
        {
            Counter<long> => [$"{name}_total"],
            Histogram<double> => [$"{name}_bucket", $"{name}_count", $"{name}_sum"],
            _ => [name],
        };
    }

    [GeneratedRegex(@"by \(([^)]*)\)")]
    private static partial Regex ByLabels();

    [GeneratedRegex("ssekit_[a-z_]+")]
    private static partial Regex Metric();

    [GeneratedRegex(@"(?<=`)(?:http\.route|ssekit\.[a-z_.]+)(?=`)")]
    private static partial Regex Attribute();

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Listening();
}
