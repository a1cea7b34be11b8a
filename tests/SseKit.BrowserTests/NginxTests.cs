using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using SseKit.Tests.Surroundings;
using static SseKit.BrowserTests.EventSourceTests;

namespace SseKit.BrowserTests;

/// <summary>A page, the guide's nginx, and a server that stops and comes back.</summary>
public sealed class NginxTests(Chromium chromium)
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan KeepAliveInterval = TimeSpan.FromMilliseconds(200);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("as it comes")]
    [InlineData("HTTP/2")]
    [InlineData("compressing")]
    public async Task Events_and_keep_alives_reach_the_page_one_by_one_and_a_silence_longer_than_the_read_timeout_cuts_nothing(string site)
    {
        var gate = new TaskCompletionSource();
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", _ => Around(gate.Task), o => o.KeepAliveInterval = KeepAliveInterval));
        await using var nginx = await Nginx.StartAsync(site, new Uri(server.Url).Port, "proxy_read_timeout 6s;");
        var page = await chromium.OpenAsync(nginx.Url);
        var arrivals = new SemaphoreSlim(0);
        var devTools = await page.Context.NewCDPSessionAsync(page);
        await devTools.SendAsync("Network.enable");
        devTools.Event("Network.dataReceived").OnEvent += (_, _) => arrivals.Release();

        await PageServer.ListenAsync(page, "/stream");
        await UntilAsync(page, "kinds() === 'open message'");
        for (var i = 0; i < 35; i++)
        {
            Assert.True(await arrivals.WaitAsync(Guard, Stop));
        }

        gate.SetResult();
        await UntilAsync(page, "kinds() === 'open message message'");
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("as it comes", 6)]
    [InlineData("HTTP/2", 8)]
    public async Task Of_eight_streams_to_one_host_six_are_open_over_HTTP_1_and_all_over_HTTP_2(string site, int most)
    {
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", _ => Around(Task.CompletedTask)));
        await using var nginx = await Nginx.StartAsync(site, new Uri(server.Url).Port);
        var page = await chromium.OpenAsync(nginx.Url);

        await page.EvaluateAsync(
            """
            () => {
              window.seen = [];
              window.sources = Array.from({ length: 8 }, (_, i) => new EventSource(`/stream?${i}`));
              for (const source of sources) source.onopen = () => seen.push({ kind: 'open', data: '' });
            }
            """);

        await UntilAsync(page, $"count('open') === {most}");
        if (most == 6)
        {
            // The seventh and the eighth get in where others leave.
            Assert.Equal(6, server.Requests.Count);
            await page.EvaluateAsync("() => sources.filter(source => source.readyState === EventSource.OPEN).slice(0, 2).forEach(source => source.close())");
            await UntilAsync(page, "count('open') === 8");
        }
    }

    [Fact]
    public async Task Without_a_delay_that_outlasts_the_restart_the_502_is_the_end()
    {
        var server = await PageServer.StartAsync(MapSilence, ComeBackAtOnce);
        await using var nginx = await Nginx.StartAsync("as it comes", new Uri(server.Url).Port);
        var page = await chromium.OpenAsync(nginx.Url);
        await PageServer.ListenAsync(page, "/stream");
        await UntilAsync(page, "kinds() === 'open'");

        await server.StopAsync();
        await server.DisposeAsync();

        await UntilAsync(page, "kinds() === 'open error error' && source.readyState === EventSource.CLOSED");
    }

    [Fact]
    public async Task With_a_reconnect_delay_that_outlasts_the_restart_the_page_is_back_by_itself()
    {
        // Long enough for a machine that is busy.
        var server = await PageServer.StartAsync(MapSilence, options =>
        {
            // Who is not told otherwise is back again and again while the server is away, however soon it is there again.
            ComeBackAtOnce(options);
            options.ReconnectionInterval = TimeSpan.FromMilliseconds(1);
            options.ReconnectDelay = TimeSpan.FromSeconds(5);
        });
        var url = server.Url;
        await using var nginx = await Nginx.StartAsync("as it comes", new Uri(url).Port);
        var page = await chromium.OpenAsync(nginx.Url);
        await PageServer.ListenAsync(page, "/stream");
        await UntilAsync(page, "kinds() === 'open'");

        await server.StopAsync();
        await server.DisposeAsync();
        await using var next = await PageServer.StartAsync(MapSilence, url: url);

        await UntilAsync(page, "kinds() === 'open error open'");
        Assert.Single(next.Requests);
    }

    [Fact]
    public async Task Where_nginx_answers_for_a_server_that_is_away_the_page_is_back_by_itself()
    {
        var server = await PageServer.StartAsync(MapSilence, ComeBackAtOnce);
        var url = server.Url;
        await using var nginx = await Nginx.StartAsync(
            "one server that restarts", new Uri(url).Port, edit: site => site.Replace("retry: 3000", "retry: 200", StringComparison.Ordinal));
        var page = await chromium.OpenAsync(nginx.Url);
        await PageServer.ListenAsync(page, "/stream");
        await UntilAsync(page, "kinds() === 'open'");

        await server.StopAsync();
        await server.DisposeAsync();
        await UntilAsync(page, "kinds().startsWith('open error open error open error')");
        await using var next = await PageServer.StartAsync(app => app.MapSse("/stream", _ => Around(Task.CompletedTask)), url: url);

        await UntilAsync(page, "count('message') === 2");
        Assert.Single(next.Requests);
    }

    private static void MapSilence(WebApplication app) => app.MapSse("/stream", _ => SilenceAsync());

    private static void ComeBackAtOnce(SseOptions options)
    {
        options.ReconnectionInterval = TimeSpan.FromMilliseconds(100);
        options.ReconnectSpread = TimeSpan.Zero;
    }

    private static async IAsyncEnumerable<SseEvent> SilenceAsync([EnumeratorCancellation] CancellationToken stop = default)
    {
        await Task.Delay(Timeout.Infinite, stop);
        yield break;
    }

    private static async IAsyncEnumerable<SseEvent> Around(Task silence, [EnumeratorCancellation] CancellationToken stop = default)
    {
        yield return "before";
        await silence.WaitAsync(stop);
        yield return "after";
        await Task.Delay(Timeout.Infinite, stop);
    }
}
