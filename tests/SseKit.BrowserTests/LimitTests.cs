using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using SseKit.Tests.Tools;

namespace SseKit.BrowserTests;

/// <summary>What a page makes of a server that is full.</summary>
public sealed class LimitTests(Chromium chromium)
{
    // As many as a page can have: a browser has six HTTP/1.1 connections to a host, and the page itself takes one now and then.
    private const int Streams = 5;

    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_page_that_is_refused_tries_again_and_is_let_in_when_places_free_up()
    {
        var modules = TestTool.RequireFile(
            Path.Combine(ClientFolder(), "node_modules"), "Run: npm ci --prefix tests/SseKit.ClientTests/clients");
        await using var server = await PageServer.StartAsync(
            app =>
            {
                app.MapSse("/stream/{number}", "topic");

                // Its modules import each other without an ending, as bundlers allow.
                app.MapGet("/modules/{**path}", (string path) => Results.File(
                    Path.Combine(modules, Path.HasExtension(path) ? path : path + ".js"), "text/javascript"));
            },
            options =>
            {
                options.MaxConnections = Streams;
                options.SendStartPosition = false;
                options.ReconnectionInterval = options.ReconnectSpread = TimeSpan.FromMilliseconds(200);
            });
        using var client = new HttpClient();
        var holders = await Task.WhenAll(Enumerable.Range(0, Streams).Select(_ => client.GetStreamAsync(new Uri($"{server.Url}/stream/0"), Stop)));
        var page = await chromium.OpenAsync(server.Url);

        // fetch-event-source with what the guide says for it.
        await page.EvaluateAsync(
            """
            async () => {
              const { fetchEventSource } = await import('/modules/@microsoft/fetch-event-source/lib/esm/fetch.js');
              window.refused = [0, 0, 0, 0, 0];
              window.heard = [[], [], [], [], []];
              for (let i = 0; i < 4; i++) {
                const source = new EventSource(`/stream/${i + 1}`);
                source.onmessage = e => heard[i].push(e.data);
                source.onerror = () => refused[i]++;
              }
              class Over extends Error {}
              fetchEventSource('/stream/5', {
                openWhenHidden: true,
                onmessage: e => heard[4].push(e.data),
                async onopen(response) {
                  if (response.status === 204) throw new Over();
                  if (!response.ok) throw new Error(`status ${response.status}`);
                },
                onclose() { throw new Error('ended'); },
                onerror(error) { if (error instanceof Over) throw error; refused[4]++; },
              });
            }
            """);
        await page.WaitForFunctionAsync("() => refused.every(times => times >= 2)");
        Assert.Equal(Streams, server.Connections.Count);

        foreach (var holder in holders)
        {
            await holder.DisposeAsync();
        }

        var started = Stopwatch.GetTimestamp();
        while (!await page.EvaluateAsync<bool>("() => heard.every(data => data.length > 0)"))
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < Guard, "Not all streams of the page were let in.");
            await server.Topics.PublishAsync("topic", "welcome", Stop);
            await Task.Delay(50, Stop);
        }

        Assert.Equal(Streams, server.Connections.Count);
        Assert.True(await page.EvaluateAsync<bool>("() => heard.flat().every(data => data === 'welcome')"));
    }

    private static string ClientFolder([CallerFilePath] string path = "") =>
        Path.Combine(Path.GetDirectoryName(path)!, "..", "SseKit.ClientTests", "clients");
}
