using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.IO.Compression;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace SseKit.Tests.Streaming;

public class ResponseHeaderTests
{
    private static readonly string[] Ours =
    [
        "Cache-Control: no-cache, no-store, no-transform",
        "Content-Encoding: identity",
        "Content-Type: text/event-stream",
        "X-Accel-Buffering: no",
    ];

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_stream_has_exactly_the_headers_that_it_needs(string http)
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)), http);
        using var stream = await app.OpenAsync("/");

        Assert.Equal(HttpStatusCode.OK, stream.Status);
        Assert.Equal(new Version(http), stream.Response.Version);
        string[] servers = ["Date", "Server", "Transfer-Encoding"];
        var headers = stream.Response.Headers.NonValidated.Concat(stream.Response.Content.Headers.NonValidated)
            .Where(header => !servers.Contains(header.Key))
            .Select(header => $"{header.Key}: {header.Value}");
        Assert.Equal(Ours, headers.Order(StringComparer.OrdinalIgnoreCase), StringComparer.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_bytes_of_a_whole_response_over_http_1_are_as_expected()
    {
        // No time passes, so there is one flush and one chunk.
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Of("a", "b"))), time: new FakeTimeProvider());
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.GetAsync("/");

        var response = await client.ReadToAsync("\r\n0\r\n\r\n");

        var parts = response.Split("\r\n\r\n", 2);
        var lines = parts[0].Split("\r\n");
        Assert.Equal("HTTP/1.1 200 OK", lines[0]);
        Assert.Equal(
            Ours.Append("Server: Kestrel").Append("Transfer-Encoding: chunked").Order(StringComparer.Ordinal),
            lines.Skip(1).Where(line => !line.StartsWith("Date:", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal("12\r\ndata: a\n\ndata: b\n\n\r\n0\r\n\r\n", parts[1]);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task HEAD_gets_the_headers_and_an_end_and_starts_no_source(string http)
    {
        var asked = false;
        await using var app = await TestApp.StartAsync(
            web => web.MapSse("/", context =>
            {
                asked = true;
                return Events.Of("a");
            }),
            http);
        using var request = new HttpRequestMessage(HttpMethod.Head, "/") { Version = new Version(http), VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        using var response = await app.Client.SendAsync(request, TestContext.Current.CancellationToken).Soon();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.ToString());
        Assert.Equal(["no"], response.Headers.GetValues("X-Accel-Buffering"));
        Assert.Equal("", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.False(asked);
    }

    [Fact]
    public async Task HEAD_is_refused_by_routes_that_the_app_maps_for_GET_only()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Of("a"))));
        using var request = new HttpRequestMessage(HttpMethod.Head, "/");
        using var response = await app.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
    }

    [Fact]
    public async Task Response_buffering_is_turned_off()
    {
        var body = new CountingBody();
        await new EventSourceResult(Events.Of("a")).ExecuteAsync(body.Context());
        Assert.True(body.BufferingDisabled);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Compression_leaves_the_stream_alone_unless_it_is_told_otherwise(string http)
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseResponseCompression();
                web.MapGet("/", () => new EventSourceResult(source));
                web.MapGet("/text", () => Results.Text(new string('a', 5000)));
            },
            http,
            services => services.AddResponseCompression(compression =>
            {
                compression.EnableForHttps = true;
                compression.MimeTypes = ["text/plain", "text/html", "application/json"];
            }));

        using var text = await app.OpenAsync("/text", accept: "gzip, br");
        Assert.Equal(["br"], text.Response.Content.Headers.ContentEncoding);

        using var stream = await app.OpenAsync("/", accept: "gzip, br");
        source.Emit("a");
        await stream.ExpectAsync("data: a\n\n");
        Assert.Equal(["identity"], stream.Response.Content.Headers.ContentEncoding);
    }

    [Theory]
    [InlineData("1.1", "gzip")]
    [InlineData("2.0", "gzip")]
    [InlineData("1.1", "br")]
    public async Task Where_the_app_compresses_streams_each_event_still_arrives_at_once(string http, string encoding)
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseResponseCompression();
                web.MapGet("/", () => new EventSourceResult(source));
            },
            http,
            services => services.AddResponseCompression(compression => compression.MimeTypes = [.. ResponseCompressionDefaults.MimeTypes, "text/event-stream"]));

        using var stream = await app.OpenAsync("/", accept: encoding);
        Assert.Equal([encoding], stream.Response.Content.Headers.ContentEncoding);
        var body = await stream.Response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        await using Stream decompressed = encoding == "gzip" ? new GZipStream(body, CompressionMode.Decompress) : new BrotliStream(body, CompressionMode.Decompress);
        using var reader = new StreamReader(decompressed);
        Assert.Equal(":", await reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().Soon());
        foreach (var number in Enumerable.Range(1, 3))
        {
            // The source gives the next one only once this one was read.
            source.Emit($"{number}");
            Assert.Equal($"data: {number}", await reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().Soon());
            Assert.Equal("", await reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().Soon());
        }

        source.End();
        Assert.Equal("", await reader.ReadToEndAsync(TestContext.Current.CancellationToken).Soon());
    }

    [Fact]
    public async Task A_request_timeout_does_not_cut_a_stream()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseRequestTimeouts();
                web.MapGet("/", () => new EventSourceResult(source));
                web.MapGet("/slow", async (CancellationToken stop) => await Task.Delay(Timeout.Infinite, stop));
            },
            services: services => services.AddRequestTimeouts(timeouts => timeouts.DefaultPolicy = new RequestTimeoutPolicy { Timeout = TimeSpan.FromSeconds(2) }));
        using var stream = await app.OpenAsync("/");

        // Asked for later and cut by now, so the stream would be as well.
        using var slow = await app.OpenAsync("/slow");
        Assert.Equal(HttpStatusCode.GatewayTimeout, slow.Status);

        source.Emit("a");
        await stream.ExpectAsync("data: a\n\n");
    }

    [Fact]
    public async Task A_stream_is_left_out_of_the_metric_of_request_durations()
    {
        var routes = new ConcurrentBag<string?>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "http.server.request.duration")
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => routes.Add(tags.ToArray().FirstOrDefault(tag => tag.Key == "http.route").Value as string));
        listener.Start();
        await using (var app = await TestApp.StartAsync(
            web =>
            {
                web.MapGet("/metrics-plain", () => "a");
                web.MapGet("/metrics-stream", () => new EventSourceResult(Events.Of("a")));
                web.MapSse("/metrics-mapped", _ => Events.Of("a"));
            },
            services: services => services.AddMetrics()))
        {
            foreach (var path in new[] { "/metrics-stream", "/metrics-mapped", "/metrics-plain" })
            {
                using var response = await app.OpenAsync(path);
                await response.ReadToEndAsync();
            }
        }

        // The app has stopped, so all of its requests have been measured.
        Assert.Equal(["/metrics-plain"], routes.Where(route => route?.StartsWith("/metrics-", StringComparison.Ordinal) == true));
    }
}
