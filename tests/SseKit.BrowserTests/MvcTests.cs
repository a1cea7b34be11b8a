namespace SseKit.BrowserTests;

public sealed class MvcTests(Chromium chromium) : SampleTests(chromium, "Mvc")
{
    private readonly Chromium _chromium = chromium;

    [Fact]
    public async Task A_controllers_sequence_reaches_the_page_step_by_step_until_it_is_done()
    {
        await using var server = await SampleServer.StartAsync("Mvc");
        var page = await _chromium.OpenAsync(server.Url);

        await page.ClickAsync("#import");
        await UntilAsync(page, "text('#job').startsWith('importing, ')");
        await UntilAsync(page, "text('#job') === 'done, 100 %'");
    }
}
