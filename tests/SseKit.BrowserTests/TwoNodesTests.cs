using SseKit.Tests.Tools;

namespace SseKit.BrowserTests;

/// <summary>Two processes behind a proxy, and a page whose button kills the one that serves it.</summary>
public sealed class TwoNodesTests(Chromium chromium)
{
    [Fact]
    public async Task The_button_kills_the_node_that_serves_the_page_and_the_numbers_go_on_at_the_other_without_a_hole()
    {
        TestTool.Require("redis-server", "SSEKIT_REDIS_SERVER", "Debian and Ubuntu: apt-get install redis-server.");
        await using var server = await SampleServer.StartAsync("TwoNodes");
        var page = await chromium.OpenAsync(server.Url);
        await SampleTests.UntilAsync(page, "count('live') >= 3");
        var first = await page.InnerTextAsync("#node");
        Assert.Contains(first, (string[])["A", "B"]);

        var node = first;
        for (var kill = 1; kill <= 2; kill++)
        {
            await SampleTests.UntilAsync(page, "!document.querySelector('#kill').disabled");
            await page.ClickAsync("#kill");
            await SampleTests.UntilAsync(page, $"text('#reconnects') === '{kill}' && last() === 'live'");
            Assert.NotEqual(node, node = await page.InnerTextAsync("#node"));

            // The one that was killed is back before the next one goes: both publish.
            await SampleTests.UntilAsync(page, "['A', 'B'].every(name => [...document.querySelectorAll('#log li')].slice(0, 4).some(row => row.textContent.includes(`by node ${name}`)))");
        }

        Assert.Equal("2", await page.InnerTextAsync("#kills"));
        Assert.Equal("0", await page.InnerTextAsync("#gaps"));
        var verdict = await page.InnerTextAsync("#verdict");
        Assert.StartsWith("Every number exactly once: yes (", verdict, StringComparison.Ordinal);
        Assert.EndsWith(", 0 missing, 0 repeated)", verdict, StringComparison.Ordinal);
        var numbers = await page.EvaluateAsync<int[]>(
            "() => [...document.querySelectorAll('#log [data-kind=live]')].map(row => +/number (\\d+)/.exec(row.textContent)[1]).reverse()");
        Assert.Equal(Enumerable.Range(numbers[0], numbers.Length), numbers);
    }

}
