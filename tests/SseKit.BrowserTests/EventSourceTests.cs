using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.Playwright;

namespace SseKit.BrowserTests;

/// <summary>What a plain page with the browser's own EventSource makes of SseKit's streams.</summary>
public sealed class EventSourceTests(Chromium chromium)
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan SoonBack = TimeSpan.FromMilliseconds(100);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_page_knows_that_it_is_connected_although_no_event_was_sent()
    {
        var gate = new TaskCompletionSource();
        await using var server = await PageServer.StartAsync(app => app.MapSse(
            "/stream", _ => After(gate.Task, "at last"), o => o.KeepAliveInterval = Timeout.InfiniteTimeSpan));
        var page = await server.ListenAsync(chromium, "/stream");

        await UntilAsync(page, "kinds() === 'open'");
        gate.SetResult();

        await UntilAsync(page, "kinds() === 'open message' && seen[1].data === 'at last'");
    }

    [Fact]
    public async Task Keep_alives_fire_nothing_and_leave_the_connection_open()
    {
        var gate = new TaskCompletionSource();
        await using var server = await PageServer.StartAsync(app => app.MapSse(
            "/stream", _ => After(gate.Task, "at last"), o => o.KeepAliveInterval = TimeSpan.FromMilliseconds(100)));
        var page = await chromium.OpenAsync(server.Url);
        var keepAlives = new SemaphoreSlim(0);
        var devTools = await page.Context.NewCDPSessionAsync(page);
        await devTools.SendAsync("Network.enable");
        devTools.Event("Network.dataReceived").OnEvent += (_, _) => keepAlives.Release();

        await PageServer.ListenAsync(page, "/stream");
        for (var i = 0; i < 5; i++)
        {
            Assert.True(await keepAlives.WaitAsync(Guard, Stop));
        }

        gate.SetResult();

        await UntilAsync(page, "count('message') > 0");
        Assert.Equal("open message", await KindsAsync(page));
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData(" a leading space")]
    [InlineData("\uFEFFa leading BOM")]
    [InlineData("LF\nCRLF\r\nCR\rLF CR\n\rend")]
    [InlineData("ends in a line\n")]
    [InlineData(": no comment\ndata: no field\nid: 7\nevent: open")]
    [InlineData("NUL \0, line separator \u2028, emoji \U0001F50C, é")]
    public async Task A_page_gets_text_as_it_was_with_line_ends_as_LF(string text)
    {
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", "topic"));
        var page = await server.ListenAsync(chromium, "/stream");
        await UntilAsync(page, "count('open') === 1");

        await server.Topics.PublishAsync("topic", text, Stop);
        await server.Topics.PublishAsync("topic", "the next one", Stop);

        await UntilAsync(page, "count('message') === 2");
        Assert.Equal("open message message", await KindsAsync(page));
        Assert.Equal(text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n'), (await DataAsync(page))[1]);
    }

    [Fact]
    public async Task A_page_that_is_cut_off_before_its_first_event_misses_nothing()
    {
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", "topic"));
        var page = await server.ListenAsync(chromium, "/stream");
        await UntilAsync(page, "count('open') === 1");
        var position = await server.Topics.GetPositionAsync("topic", Stop);

        await AwayAsync(page, server);
        await server.Topics.PublishAsync("topic", "while it was away", Stop);

        await UntilAsync(page, "kinds() === 'open error open message' && seen[3].data === 'while it was away'");
        Assert.Equal([null, position], server.Requests.Select(request => request.LastEventId));
    }

    [Fact]
    public async Task A_page_that_began_at_a_position_comes_back_to_where_it_is_now()
    {
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", "topic"));
        var position = await server.Topics.GetPositionAsync("topic", Stop);
        await server.Topics.PublishAsync("topic", new SseEvent("1") { ReconnectionInterval = SoonBack }, Stop);
        var page = await server.ListenAsync(chromium, $"/stream?lastEventId={position}");
        await UntilAsync(page, "count('message') === 1");

        for (var i = 2; i <= 6; i += 2)
        {
            await AwayAsync(page, server);
            await server.Topics.PublishAsync("topic", $"{i}", Stop);
            await UntilAsync(page, $"count('message') === {i}");
            await server.Topics.PublishAsync("topic", $"{i + 1}", Stop);
            await UntilAsync(page, $"count('message') === {i + 1}");
        }

        Assert.Equal(["1", "2", "3", "4", "5", "6", "7"], (await DataAsync(page)).Where(data => data.Length > 0));
        Assert.DoesNotContain("gap", await KindsAsync(page), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_hears_of_a_gap_and_is_resumed_from_there()
    {
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", "topic"));
        await server.Topics.PublishAsync("topic", new SseEvent("kept") { ReconnectionInterval = SoonBack }, Stop);
        var page = await server.ListenAsync(chromium, "/stream?lastEventId=of-another-time");
        await UntilAsync(page, "kinds() === 'open gap message'");
        Assert.Equal("""{"reason":"unknown","requested":"of-another-time"}""", (await DataAsync(page))[1]);

        await AwayAsync(page, server);
        await server.Topics.PublishAsync("topic", "the next one", Stop);

        await UntilAsync(page, "kinds() === 'open gap message error open message'");
    }

    [Fact]
    public async Task A_page_that_is_cut_off_within_a_snapshot_gets_the_whole_of_it_again()
    {
        var first = new TaskCompletionSource();
        var snapshots = 0;
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", "topic", o =>
        {
            o.Start = SseStart.Snapshot;
            o.Snapshot = (_, stop) => Snapshot(Interlocked.Increment(ref snapshots) == 1 ? first.Task : Task.CompletedTask, stop);
        }));
        await server.Topics.PublishAsync("topic", "in the snapshot", Stop);
        var page = await server.ListenAsync(chromium, "/stream");
        await UntilAsync(page, "kinds() === 'open message'");

        await AwayAsync(page, server);
        first.SetResult();
        await UntilAsync(page, "kinds() === 'open message error open message message message'");
        await server.Topics.PublishAsync("topic", "live", Stop);

        await UntilAsync(page, "count('message') === 5");
        Assert.Equal(["one", "one", "two", "three", "live"], (await DataAsync(page)).Where(data => data.Length > 0));

        static async IAsyncEnumerable<SseEvent> Snapshot(Task rest, [EnumeratorCancellation] CancellationToken stop)
        {
            yield return new SseEvent("one") { ReconnectionInterval = SoonBack };
            yield return "two";
            await rest.WaitAsync(stop);
            yield return "three";
        }
    }

    [Fact]
    public async Task A_page_comes_back_to_a_stream_that_fails_even_before_its_first_event()
    {
        var requests = 0;
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", _ => Interlocked.Increment(ref requests) switch
        {
            1 => Failing(new SseEvent("1") { EventId = "a", ReconnectionInterval = SoonBack }),
            2 => Failing(null),
            _ => Once("2"),
        }));
        var page = await server.ListenAsync(chromium, "/stream");

        // After the second failure it comes back within six seconds: a failing server is not to be asked ten times a second.
        await UntilAsync(page, "count('message') === 2");

        Assert.Equal("open message error open error open message", await KindsAsync(page));
        Assert.Equal([null, "a", "a"], server.Requests.Select(request => request.LastEventId));

        static async IAsyncEnumerable<SseEvent> Failing(SseEvent? first)
        {
            if (first is { } item)
            {
                yield return item;
                await Task.Yield();
            }

            throw new InvalidOperationException("The source is broken.");
        }

        static async IAsyncEnumerable<SseEvent> Once(string text, [EnumeratorCancellation] CancellationToken stop = default)
        {
            yield return text;
            await Task.Delay(Timeout.Infinite, stop);
        }
    }

    [Fact]
    public async Task A_page_of_another_origin_comes_back_without_a_preflight()
    {
        await using var server = await PageServer.StartAsync(app => app.MapSse("/stream", "topic"));
        await using var other = await PageServer.StartAsync(_ => { });
        var page = await other.ListenAsync(chromium, $"{server.Url}/stream");
        await UntilAsync(page, "count('open') === 1");
        var id = await server.Topics.PublishAsync("topic", new SseEvent("1") { ReconnectionInterval = SoonBack }, Stop);
        await UntilAsync(page, "count('message') === 1");

        await AwayAsync(page, server);
        await server.Topics.PublishAsync("topic", "2", Stop);

        await UntilAsync(page, "seen.at(-1).data === '2'");
        Assert.Equal([("GET", null), ("GET", id)], server.Requests);
    }

    /// <summary>Cuts the page off; when this returns, the page knows it.</summary>
    private static async Task AwayAsync(IPage page, PageServer server)
    {
        var errors = await page.EvaluateAsync<int>("() => seen.filter(event => event.kind === 'error').length");
        server.Cut();
        await UntilAsync(page, $"count('error') > {errors}");
    }

    internal static async Task UntilAsync(IPage page, string condition)
    {
        try
        {
            await page.WaitForFunctionAsync(
                $$"""
                () => {
                  const kinds = () => seen.map(event => event.kind).join(' ');
                  const count = kind => seen.filter(event => event.kind === kind).length;
                  return {{condition}};
                }
                """);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"Not in time: {condition}. The page has seen: {await page.EvaluateAsync<string>("() => JSON.stringify(seen)")}");
        }
    }

    internal static Task<string> KindsAsync(IPage page) => page.EvaluateAsync<string>("() => seen.map(event => event.kind).join(' ')");

    private static Task<string[]> DataAsync(IPage page) => page.EvaluateAsync<string[]>("() => seen.map(event => event.data)");

    private static async IAsyncEnumerable<SseEvent> After(Task gate, string text, [EnumeratorCancellation] CancellationToken stop = default)
    {
        await gate.WaitAsync(stop);
        yield return text;
        await Task.Delay(Timeout.Infinite, stop);
    }
}
