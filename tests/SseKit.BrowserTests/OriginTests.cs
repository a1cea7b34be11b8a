using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using static SseKit.BrowserTests.EventSourceTests;

namespace SseKit.BrowserTests;

/// <summary>A page of one origin, and a stream of another that wants to see its cookie.</summary>
public sealed class OriginTests(Chromium chromium)
{
    [Fact]
    public async Task EventSource_brings_cookies_and_its_last_id_and_never_asks_before()
    {
        await using var pages = await PageServer.StartAsync(_ => { });
        await using var streams = await StartStreamsAsync(pages.Url);
        var page = await chromium.OpenAsync(pages.Url);
        await page.EvaluateAsync("() => { document.cookie = 'user=somebody'; }");

        await page.EvaluateAsync(
            """
            url => {
              window.seen = [];
              window.source = new EventSource(url, { withCredentials: true });
              source.onmessage = event => seen.push({ kind: 'message', data: event.data });
            }
            """,
            $"{streams.Url}/stream");

        await UntilAsync(page, "count('message') === 2 && seen[0].data === \"somebody after ''\" && seen[1].data === \"somebody after '1'\"");
        Assert.Equal([("GET", null), ("GET", "1")], streams.Requests.Take(2));
    }

    [Fact]
    public async Task Fetch_asks_before_it_sends_a_last_id()
    {
        await using var pages = await PageServer.StartAsync(_ => { });
        await using var streams = await StartStreamsAsync(pages.Url);
        var page = await chromium.OpenAsync(pages.Url);
        await page.EvaluateAsync("() => { document.cookie = 'user=somebody'; }");

        var text = await page.EvaluateAsync<string>(
            "async url => (await fetch(url, { credentials: 'include', headers: { 'Last-Event-ID': '7' } })).text()", $"{streams.Url}/stream");

        Assert.Contains("data: somebody after '7'\n", text, StringComparison.Ordinal);
        Assert.Equal([("OPTIONS", null), ("GET", "7")], streams.Requests);
    }

    private static Task<PageServer> StartStreamsAsync(string pages) => PageServer.StartAsync(app => app
        .MapSse("/stream", context => OneAsync($"{context.Request.Cookies["user"]} after '{context.Request.GetLastEventId()}'"))
        .RequireCors(cors => cors.WithOrigins(pages).AllowCredentials().WithHeaders("Last-Event-ID")));

    private static async IAsyncEnumerable<SseEvent> OneAsync(string text, [EnumeratorCancellation] CancellationToken stop = default)
    {
        await Task.Delay(1, stop);
        yield return new SseEvent(text) { EventId = "1", ReconnectionInterval = TimeSpan.FromMilliseconds(50) };
    }
}
