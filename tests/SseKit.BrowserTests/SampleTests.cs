using Microsoft.Playwright;

namespace SseKit.BrowserTests;

/// <summary>What each sample's page shows of a counting server, whichever way the sample is written.</summary>
public abstract class SampleTests(Chromium chromium, string sample)
{
    [Fact]
    public async Task The_page_is_connected_before_the_first_number_and_numbers_arrive_live()
    {
        await using var server = await SampleServer.StartAsync(sample);
        var page = await chromium.OpenAsync(server.Url);

        await UntilAsync(page, "count('live') >= 3");

        var log = await LogAsync(page);
        Assert.Equal("open", log[0].Kind);
        Assert.All(log[1..], row => Assert.Equal("live", row.Kind));
        await AssertEveryNumberOnceAsync(page);
    }

    [Fact]
    public async Task The_page_ends_up_with_every_number_exactly_once_however_often_the_plug_is_pulled()
    {
        await using var server = await SampleServer.StartAsync(sample);
        var page = await chromium.OpenAsync(server.Url);
        await UntilAsync(page, "count('live') >= 1");

        for (var pull = 1; pull <= 3; pull++)
        {
            await page.ClickAsync("#pull");
            await UntilAsync(page, $"text('#reconnects') === '{pull}'");
            await UntilAsync(page, "last() === 'live'");
        }

        // What came in the meantime was replayed, and each return says so before it goes on live.
        var log = await LogAsync(page);
        Assert.Equal(3, log.Count(row => row.Kind == "lost"));
        Assert.Contains(log, row => row.Kind == "replayed");
        Assert.DoesNotContain(log, row => row.Kind is "gap" or "snapshot");
        await AssertEveryNumberOnceAsync(page);
    }

    [Fact]
    public async Task After_a_restart_of_the_server_the_page_is_told_of_the_gap_and_shows_a_snapshot_and_goes_on()
    {
        await using var server = await SampleServer.StartAsync(sample);
        var page = await chromium.OpenAsync(server.Url);
        await UntilAsync(page, "count('live') >= 2");

        await server.KillAsync();
        await UntilAsync(page, "count('lost') === 1");
        await server.StartAsync();
        await UntilAsync(page, "count('snapshot') === 1 && last() === 'live'");

        var log = await LogAsync(page);
        var lost = log.FindIndex(row => row.Kind == "lost");
        Assert.Equal(["lost", "open", "gap", "snapshot"], log.Skip(lost).Take(4).Select(row => row.Kind));
        Assert.Contains("unknown", log[lost + 2].Text, StringComparison.Ordinal);
        await AssertEveryNumberOnceAsync(page);

        // The snapshot has given the page its place: it is resumed from there like any other.
        await page.ClickAsync("#pull");
        await UntilAsync(page, "text('#reconnects') === '2' && last() === 'live'");
        Assert.Single(await LogAsync(page), row => row.Kind == "gap");
        await AssertEveryNumberOnceAsync(page);
    }

    internal static async Task UntilAsync(IPage page, string condition)
    {
        try
        {
            await page.WaitForFunctionAsync(
                $$"""
                () => {
                  const text = selector => document.querySelector(selector).textContent;
                  const count = kind => document.querySelectorAll(`#log [data-kind=${kind}]`).length;
                  const last = () => document.querySelector('#log li')?.dataset.kind;
                  return {{condition}};
                }
                """);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"Not in time: {condition}. The page shows:\n{await page.InnerTextAsync("body")}");
        }
    }

    /// <summary>What the page says, and what the numbers that it shows say, must agree.</summary>
    protected static async Task AssertEveryNumberOnceAsync(IPage page)
    {
        // Both at one moment: the next number may come between two questions.
        var verdictAndNumbers = await page.EvaluateAsync<string[]>(
            """
            () => {
              const rows = [...document.querySelectorAll('#log li')];
              const snapshot = rows.findIndex(row => row.dataset.kind === 'snapshot');
              const numbers = (snapshot < 0 ? rows : rows.slice(0, snapshot)).filter(row => ['live', 'replayed'].includes(row.dataset.kind));
              return [document.querySelector('#verdict').textContent, ...numbers.map(row => /number (\d+)/.exec(row.textContent)[1]).reverse()];
            }
            """);
        var numbers = verdictAndNumbers[1..].Select(int.Parse).ToArray();
        Assert.NotEmpty(numbers);
        Assert.Equal(Enumerable.Range(numbers[0], numbers.Length), numbers);
        Assert.StartsWith("Every number exactly once", verdictAndNumbers[0], StringComparison.Ordinal);
        Assert.EndsWith($": yes ({numbers.Length} received, 0 missing, 0 repeated)", verdictAndNumbers[0], StringComparison.Ordinal);
    }

    /// <summary>The page's log, oldest first.</summary>
    private static async Task<List<(string Kind, string Text)>> LogAsync(IPage page)
    {
        var rows = await page.EvaluateAsync<string[][]>(
            "() => [...document.querySelectorAll('#log li')].map(row => [row.dataset.kind, row.textContent]).reverse()");
        return [.. rows.Select(row => (row[0], row[1]))];
    }
}
