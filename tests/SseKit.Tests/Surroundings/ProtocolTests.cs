using System.Net.Quic;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using SseKit.Tests.Tools;

namespace SseKit.Tests.Surroundings;

/// <summary>One stream over every protocol that Kestrel speaks.</summary>
public class ProtocolTests
{
    public static TheoryData<string, bool> Protocols => new() { { "1.1", false }, { "2.0", false }, { "1.1", true }, { "2.0", true }, { "3.0", true } };

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Over_every_protocol_nothing_is_late_and_the_source_hears_that_its_client_left(string http, bool tls)
    {
        var time = new FakeTimeProvider();
        var source = new HandSource();
        await using var app = await StartAsync(source, http, tls, time);
        using (var stream = await app.OpenAsync("/"))
        {
            Assert.Equal(new Version(http), stream.Response.Version);
            string[] servers = ["Date", "Server"];
            string[] ours = ["Cache-Control", "Content-Encoding", "Content-Type", "X-Accel-Buffering"];
            var names = stream.Response.Headers.NonValidated.Concat(stream.Response.Content.Headers.NonValidated).Select(header => header.Key);
            Assert.Equal(
                http == "1.1" ? [.. ours[..3], "Transfer-Encoding", ours[3]] : ours,
                names.Except(servers).Order(StringComparer.OrdinalIgnoreCase),
                StringComparer.OrdinalIgnoreCase);

            await stream.ExpectEventsAndKeepAliveAsync(source, time);
        }

        await source.Cancelled.Soon();
        await source.Disposed.Soon();
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task When_the_app_stops_a_silent_stream_ends_cleanly(string http, bool tls)
    {
        var source = new HandSource();
        await using var app = await StartAsync(source, http, tls, new FakeTimeProvider());
        using var stream = await app.OpenAsync("/");
        await source.IsWaitedForAsync();

        var stopping = app.Web.StopAsync(TestContext.Current.CancellationToken);

        // With the last chunk, END_STREAM or FIN: anything else would throw.
        Assert.Matches(@"\Aretry: \d+\n\z", await stream.ReadToEndAsync());
        await stopping.Soon();
        Assert.True(source.Disposed.IsCompleted);
        Assert.Empty(app.Log.Troubles);
    }

    private static Task<TestApp> StartAsync(HandSource source, string http, bool tls, FakeTimeProvider time)
    {
        // Kestrel's HTTP/3 stands on libmsquic, which no distribution of Linux brings along, so its absence is the platform's and not a fault of
        // the build: a skip, in CI too.
        Assert.SkipUnless(http != "3.0" || QuicListener.IsSupported, "HTTP/3 needs libmsquic. Get it with: apt-get install libmsquic, from packages.microsoft.com");
        return TestApp.StartAsync(
            web => web.MapGet("/", () => new EventSourceResult(source)), http, time: time, certificate: tls ? TestCertificate.Loopback : null);
    }
}
