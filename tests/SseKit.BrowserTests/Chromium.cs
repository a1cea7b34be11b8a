using Microsoft.Playwright;
using SseKit.BrowserTests;
using SseKit.Tests.Tools;

[assembly: AssemblyFixture(typeof(Chromium))]

namespace SseKit.BrowserTests;

/// <summary>One browser for all tests: the machine's own, which Playwright only drives. Each page lives in a context of its own.</summary>
public sealed class Chromium : IAsyncDisposable
{
    // The first paint of a browser on a machine that builds something else may take its time.
    private const float PatienceMilliseconds = 60_000;

    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ];

    private readonly SemaphoreSlim _gate = new(1);
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async Task<IPage> OpenAsync(string url)
    {
        var browser = await LaunchAsync();

        // The certificates of tests are their own.
        var context = await browser.NewContextAsync(new() { IgnoreHTTPSErrors = true });
        context.SetDefaultTimeout(PatienceMilliseconds);
        var page = await context.NewPageAsync();
        await page.GotoAsync(url);
        return page;
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.CloseAsync();
        }

        _playwright?.Dispose();
        _gate.Dispose();
    }

    private async Task<IBrowser> LaunchAsync()
    {
        var executable = TestTool.Require("chromium", "SSEKIT_CHROMIUM", "Get it with: apt-get install chromium");
        await _gate.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            _playwright ??= await Playwright.CreateAsync();
            return _browser ??= await _playwright.Chromium.LaunchAsync(
                new() { ExecutablePath = executable, Args = Arguments, Timeout = PatienceMilliseconds });
        }
        finally
        {
            _gate.Release();
        }
    }
}
