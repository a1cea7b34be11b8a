using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using SseKit.Tests.Tools;
using static SseKit.Tests.Streaming.Waiting;

namespace SseKit.Tests.Surroundings;

/// <summary>The sites of the guide, each in a real nginx.</summary>
public class NginxTests
{
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(3);

    private static readonly HttpClient Client = new(new SocketsHttpHandler
    {
        UseProxy = false,
        ResponseDrainTimeout = TimeSpan.Zero,
        SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => shown!.Equals(TestCertificate.Loopback) },
    });

    [Theory]
    [InlineData("as it comes", "1.1")]
    [InlineData("HTTP/2", "2.0")]
    [InlineData("compressing", "1.1")]
    [InlineData("one server that restarts", "1.1")]
    public async Task Behind_nginx_nothing_is_late_and_the_source_hears_that_its_client_left(string site, string http)
    {
        var time = new FakeTimeProvider();
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/stream", () => new EventSourceResult(source)), time: time);
        await using var nginx = await Nginx.StartAsync(site, app.Port);
        using (var stream = await OpenAsync(nginx, http))
        {
            Assert.Equal((HttpStatusCode.OK, new Version(http)), (stream.Status, stream.Response.Version));
            Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType!.ToString());
            await stream.ExpectEventsAndKeepAliveAsync(source, time);
        }

        await source.Cancelled.Soon();
        await source.Disposed.Soon();
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task What_nginx_is_told_to_compress_is_still_not_late()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/stream", () => new EventSourceResult(source)));
        await using var nginx = await Nginx.StartAsync("compressing", app.Port);
        using var stream = await OpenAsync(nginx, accept: "gzip");
        Assert.Equal(["gzip"], stream.Response.Content.Headers.ContentEncoding);
        await using var body = new GZipStream(await stream.Response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), CompressionMode.Decompress);
        using var text = new ClientStream(stream.Response, body);

        await text.ExpectEventsOneByOneAsync(source);
    }

    [Fact]
    public async Task What_the_app_does_not_let_nginx_compress_passes_as_it_is()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/stream", () => new EventSourceResult(source)));
        await using var nginx = await Nginx.StartAsync(
            "compressing", app.Port, edit: site => site.Replace("proxy_hide_header Content-Encoding;", "", StringComparison.Ordinal));

        using var stream = await OpenAsync(nginx, accept: "gzip");

        Assert.Equal(["identity"], stream.Response.Content.Headers.ContentEncoding);
        source.Emit("1");
        await stream.ExpectAsync("data: 1\n\n");
    }

    [Fact]
    public async Task A_silent_stream_outlives_the_read_timeout_of_nginx()
    {
        await using var app = await StartSilentAsync(TimeSpan.FromMilliseconds(200));
        await using var nginx = await Nginx.StartAsync("as it comes", app.Port, $"proxy_read_timeout {ReadTimeout.TotalSeconds}s;");
        using var stream = await OpenAsync(nginx);

        for (var opened = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(opened) < ReadTimeout * 1.5;)
        {
            await stream.ExpectAsync(":\n");
        }
    }

    [Fact]
    public async Task Without_keep_alives_nginx_cuts_a_silent_stream()
    {
        await using var app = await StartSilentAsync(Timeout.InfiniteTimeSpan);
        await using var nginx = await Nginx.StartAsync("as it comes", app.Port, $"proxy_read_timeout {ReadTimeout.TotalSeconds}s;");
        using var client = await RawClient.ConnectAsync(nginx.Port);
        await client.GetAsync("/stream");
        await client.ReadToAsync("\r\n\r\n");

        // Nothing came but the opening, and not even the last chunk.
        Assert.Equal("2\r\n:\n\r\n", await client.ReadToAsync(null));
    }

    [Fact]
    public async Task When_an_app_behind_nginx_stops_its_clients_are_told_when_to_come_back_and_end_cleanly()
    {
        await using var app = await StartSilentAsync(Timeout.InfiniteTimeSpan);
        await using var nginx = await Nginx.StartAsync("as it comes", app.Port);
        using var stream = await OpenAsync(nginx);

        var stopping = app.Web.StopAsync(TestContext.Current.CancellationToken);

        Assert.Matches(@"\Aretry: \d+\n\z", await stream.ReadToEndAsync());
        await stopping.Soon();
    }

    private static Task<TestApp> StartSilentAsync(TimeSpan keepAliveInterval) =>
        TestApp.StartAsync(web => web.MapGet("/stream", () => new EventSourceResult(Events.Silence(), o => o.KeepAliveInterval = keepAliveInterval)));

    private static async Task<ClientStream> OpenAsync(Nginx nginx, string http = "1.1", string? accept = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{nginx.Url}/stream")
        {
            Version = new Version(http),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept-Encoding", accept);
        }

        var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).Soon();
        return new ClientStream(response, await response.Content.ReadAsStreamAsync());
    }
}
