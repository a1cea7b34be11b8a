using System.Text.Json;
using Microsoft.Playwright;
using SseKit.Tests.Tools;

namespace SseKit.ClientTests;

/// <summary>All streams through the clients that need a browser, in one page with a frame for each.</summary>
internal static class BrowserRun
{
    public static async Task RunAsync(int port, string clientFolder, Action<Seen> report, CancellationToken stop)
    {
        var chromium = TestTool.Require("chromium", "SSEKIT_CHROMIUM", "Install it: apt-get install chromium, or name any Chrome by the variable.");
        TestTool.RequireFile(Path.Combine(clientFolder, "node_modules"), NodeRun.Install);
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = chromium,
            Args =
            [
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--no-proxy-server",
            ],
        });
        var frames = (from client in Clients.InBrowser from stream in Streams.For(client) select (Client: client, Source: stream.ToString())).ToList();
        var missing = frames.Count;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var page = await browser.NewPageAsync();
        await page.ExposeFunctionAsync("report", (string line) =>
        {
            report(JsonSerializer.Deserialize<Seen>(line, JsonSerializerOptions.Web)!);
            if (Interlocked.Decrement(ref missing) == 0)
            {
                all.SetResult();
            }
        });
        await page.GotoAsync($"http://sse.localhost:{port}/empty");

        // A browser holds six connections to a host, so each frame has a host of its own; all of them are this machine.
        await page.EvaluateAsync(
            """
            urls => {
              for (const url of urls) document.body.append(Object.assign(document.createElement('iframe'), { src: url }));
            }
            """,
            frames.Select((frame, i) =>
                $"http://n{i}.sse.localhost:{port}/frame.html?client={Uri.EscapeDataString(frame.Client)}&source={Uri.EscapeDataString(frame.Source)}"));
        await all.Task.WaitAsync(stop);
    }
}
