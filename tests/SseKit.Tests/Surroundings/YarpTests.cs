using System.Diagnostics;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Guide;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Surroundings;

/// <summary>The guide's YARP in front of an app. What the middleware does around it is tried in Watching.</summary>
public class YarpTests
{
    private static readonly TimeSpan ActivityTimeout = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData("1.1", "1.1")]
    [InlineData("2.0", "1.1")]
    [InlineData("1.1", "2.0")]
    [InlineData("2.0", "2.0")]
    public async Task Behind_YARP_nothing_is_late_and_the_source_hears_that_its_client_left(string frontHttp, string backHttp)
    {
        var time = new FakeTimeProvider();
        var source = new HandSource();
        await using var back = await TestApp.StartAsync(web => web.MapGet("/stream", () => new EventSourceResult(source)), backHttp, time: time);
        await using var front = await StartProxyAsync(back, frontHttp);
        using (var stream = await front.OpenAsync("/stream"))
        {
            await stream.ExpectEventsAndKeepAliveAsync(source, time);
        }

        await source.Cancelled.Soon();
        await source.Disposed.Soon();
        Assert.Empty(back.Log.Troubles);
    }

    [Fact]
    public async Task A_silent_stream_outlives_the_activity_timeout_of_YARP()
    {
        await using var back = await StartSilentAsync(TimeSpan.FromMilliseconds(200));
        await using var front = await StartProxyAsync(back, timeout: ActivityTimeout);
        using var stream = await front.OpenAsync("/stream");

        for (var opened = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(opened) < ActivityTimeout * 1.5;)
        {
            await stream.ExpectAsync(":\n");
        }
    }

    [Fact]
    public async Task Without_keep_alives_YARP_cuts_a_silent_stream()
    {
        await using var back = await StartSilentAsync(Timeout.InfiniteTimeSpan);
        await using var front = await StartProxyAsync(back, timeout: TimeSpan.FromSeconds(1));
        using var stream = await front.OpenAsync("/stream");

        await Assert.ThrowsAnyAsync<IOException>(() => stream.ReadToEndAsync());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task When_an_app_behind_YARP_stops_its_clients_are_told_when_to_come_back_and_end_cleanly(string backHttp)
    {
        await using var back = await StartSilentAsync(Timeout.InfiniteTimeSpan, backHttp);
        await using var front = await StartProxyAsync(back);
        using var stream = await front.OpenAsync("/stream");

        var stopping = back.Web.StopAsync(TestContext.Current.CancellationToken);

        Assert.Matches(@"\Aretry: \d+\n\z", await stream.ReadToEndAsync());
        await stopping.Soon();
    }

    private static Task<TestApp> StartSilentAsync(TimeSpan keepAliveInterval, string http = "1.1") =>
        TestApp.StartAsync(web => web.MapGet("/stream", () => new EventSourceResult(Events.Silence(), o => o.KeepAliveInterval = keepAliveInterval)), http);

    private static Task<TestApp> StartProxyAsync(TestApp back, string http = "1.1", TimeSpan? timeout = null)
    {
        var settings = new Dictionary<string, string?>
        {
            ["ReverseProxy:Clusters:app:Destinations:one:Address"] = $"http://127.0.0.1:{back.Port}/",
        };
        if (timeout is { } time)
        {
            settings["ReverseProxy:Clusters:app:HttpRequest:ActivityTimeout"] = $"{time}";
        }

        if (back.Client.DefaultRequestVersion.Major == 2)
        {
            // By itself YARP speaks HTTP/2 only where TLS says that it may.
            settings["ReverseProxy:Clusters:app:HttpRequest:VersionPolicy"] = "RequestVersionExact";
        }

        var configuration = new ConfigurationBuilder()
            .AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(GuidePage.Block("proxies.md", "YARP"))))
            .AddInMemoryCollection(settings)
            .Build();
        return TestApp.StartAsync(
            web => web.MapReverseProxy(), http, services => services.AddReverseProxy().LoadFromConfig(configuration.GetSection("ReverseProxy")));
    }
}
