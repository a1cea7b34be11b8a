namespace SseKit.BrowserTests;

public sealed class QuickStartTests(Chromium chromium) : SampleTests(chromium, "QuickStart")
{
    private readonly Chromium _chromium = chromium;

    [Fact]
    public async Task A_plug_that_stays_out_for_ten_seconds_costs_some_attempts_and_no_number()
    {
        await using var server = await SampleServer.StartAsync("QuickStart");
        var page = await _chromium.OpenAsync(server.Url);
        await UntilAsync(page, "count('live') >= 1");

        await page.ClickAsync("#pull-long");
        await UntilAsync(page, "text('#status').includes('attempt')");
        await UntilAsync(page, "text('#reconnects') === '1' && last() === 'live'");

        Assert.NotEqual("0", await page.InnerTextAsync("#replayed"));
        await AssertEveryNumberOnceAsync(page);
    }
}
