using Microsoft.Extensions.AI;
using Microsoft.Playwright;
using SseKit.StackExchangeRedis.Tests;

namespace SseKit.BrowserTests;

/// <summary>An answer that goes on whatever becomes of the page that asked for it, and in the end stands there whole, once.</summary>
public sealed class ChatTests(Chromium chromium)
{
    private const string Question = "What if I lose the network?";

    // Four seconds for the whole of it, for pages that are not disturbed if they come late.
    private const string Fast = "--Chat:WordsPerSecond=25";

    // Time enough to be cut off before the end, on a machine that is busy, too.
    private const string Steady = "--Chat:WordsPerSecond=12";

    // For answers that nobody waits for.
    private const string Slow = "--Chat:WordsPerSecond=2";

    [Fact]
    public async Task A_reload_in_the_middle_shows_the_whole_answer_once()
    {
        await using var server = await SampleServer.StartAsync("Chat", Fast);
        var page = await AskAsync(server);

        await page.ReloadAsync();

        await AssertWholeAsync(page);
        Assert.Equal(Question, await page.InnerTextAsync("#asked"));
    }

    [Fact]
    public async Task A_second_tab_shows_the_same_from_the_beginning()
    {
        await using var server = await SampleServer.StartAsync("Chat", Fast);
        var page = await AskAsync(server);

        var second = await page.Context.NewPageAsync();
        await second.GotoAsync(page.Url);

        await AssertWholeAsync(second);
        await AssertWholeAsync(page);
        Assert.Equal(Question, await second.InnerTextAsync("#asked"));
    }

    [Fact]
    public async Task Offline_in_the_middle_and_online_again_the_page_goes_on_where_it_was()
    {
        await using var server = await SampleServer.StartAsync("Chat", Steady);
        await using var cable = new Cable(server.Url);
        var page = await chromium.OpenAsync(cable.Url);
        await AskAsync(page);

        // DevTools keep Chromium from connecting, but leave alone what is connected already.
        await page.Context.SetOfflineAsync(true);
        cable.Cut();
        await UntilAsync(page, "!navigator.onLine && text('#status') === 'reconnecting'");
        var before = await page.TextContentAsync("#answer");
        await page.Context.SetOfflineAsync(false);

        await AssertWholeAsync(page);
        Assert.NotEqual(await WholeAsync(), before);
    }

    [Fact]
    public async Task The_list_leads_to_a_running_answer_and_its_button_stops_it_for_every_page()
    {
        await using var server = await SampleServer.StartAsync("Chat", Slow);
        var page = await AskAsync(server);
        var second = await page.Context.NewPageAsync();
        await second.GotoAsync(server.Url);
        await second.ClickAsync("#running a");
        await UntilAsync(second, "text('#answer').length > 10");
        Assert.Equal(page.Url, second.Url);

        await second.ClickAsync("#stop");

        foreach (var tab in new[] { page, second })
        {
            await UntilAsync(tab, "text('#status') === 'cancelled' && text('#end') === 'Stopped.'");
            await UntilAsync(tab, "!document.querySelector('#running a')");
        }

        var answer = await page.TextContentAsync("#answer");
        Assert.StartsWith(answer!, await WholeAsync(), StringComparison.Ordinal);
        Assert.Equal(answer, await second.TextContentAsync("#answer"));
        Assert.False(await page.IsVisibleAsync("#stop"));

        // The end is kept as well.
        await page.ReloadAsync();
        await UntilAsync(page, "text('#end') === 'Stopped.'");
        Assert.Equal(answer, await page.TextContentAsync("#answer"));
    }

    [Fact]
    public async Task Without_Redis_a_restart_of_the_server_loses_the_rest_and_the_page_says_so()
    {
        await using var server = await SampleServer.StartAsync("Chat", Slow);
        var page = await AskAsync(server);

        await server.KillAsync();
        await server.StartAsync();

        await UntilAsync(page, "text('#status') === 'lost' && text('#end').includes('rest is lost')");
        Assert.StartsWith((await page.TextContentAsync("#answer"))!, await WholeAsync(), StringComparison.Ordinal);
        await page.ReloadAsync();
        await UntilAsync(page, "text('#status') === 'gone'");
    }

    [Fact]
    public async Task With_Redis_the_server_is_killed_and_started_again_and_the_answer_has_no_hole_and_no_repeat()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await SampleServer.StartAsync("Chat", Steady, $"--Redis={redis.Address}", "--Sse:ProducerLease=00:00:02");
        var page = await AskAsync(server);

        await server.KillAsync();
        var before = (await page.TextContentAsync("#answer"))!;
        await server.StartAsync();

        await AssertWholeAsync(page);
        Assert.NotEqual(await WholeAsync(), before);

        // Not only this page, which knew the beginning: it is stored so.
        await page.ReloadAsync();
        await AssertWholeAsync(page);
    }

    /// <summary>A page that has asked, and has heard a few words.</summary>
    private async Task<IPage> AskAsync(SampleServer server)
    {
        var page = await chromium.OpenAsync(server.Url);
        await AskAsync(page);
        return page;
    }

    private static async Task AskAsync(IPage page)
    {
        await page.FillAsync("#question", Question);
        await page.ClickAsync("#ask button");
        await UntilAsync(page, "text('#answer').length > 10");
    }

    private static async Task AssertWholeAsync(IPage page)
    {
        await UntilAsync(page, "text('#status') === 'done'");
        Assert.Equal(await WholeAsync(), await page.TextContentAsync("#answer"));
    }

    /// <summary>What the generator says when nothing is between it and the listener.</summary>
    private static async Task<string> WholeAsync()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Chat:WordsPerSecond", "1000000")]).Build();
        using var model = new LocalChatClient(configuration);
        var response = await model.GetResponseAsync([new ChatMessage(ChatRole.User, Question)], cancellationToken: TestContext.Current.CancellationToken);
        return response.Text;
    }

    private static Task UntilAsync(IPage page, string condition) => SampleTests.UntilAsync(page, condition);
}
