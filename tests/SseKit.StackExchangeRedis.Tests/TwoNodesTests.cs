using System.Diagnostics;
using System.Net.ServerSentEvents;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The sample as its users run it: a launcher and two processes, one of which is killed.</summary>
public sealed class TwoNodesTests
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task When_the_node_that_serves_a_page_is_killed_the_numbers_go_on_at_the_other_without_a_hole()
    {
        await using var redis = await RedisServer.StartAsync();
        using var launcher = Start(redis.Address);
        try
        {
            using var guard = CancellationTokenSource.CreateLinkedTokenSource(Stop);
            guard.CancelAfter(Guard);
            using var client = new HttpClient { BaseAddress = await AddressAsync(launcher, guard.Token), Timeout = Timeout.InfiniteTimeSpan };
            var numbers = new List<long>();
            string? id = null, first = null, node = null;
            while (numbers.Count < 10)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, "numbers/live");
                if (id is not null)
                {
                    request.Headers.Add("Last-Event-ID", id);
                }

                using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token);
                if (response.Headers.TryGetValues("Set-Cookie", out var cookies))
                {
                    node = cookies.First()["node=".Length..][..1];
                    first ??= node;
                }

                try
                {
                    await using var body = await response.Content.ReadAsStreamAsync(guard.Token);
                    await foreach (var item in SseParser.Create(body).EnumerateAsync(guard.Token))
                    {
                        Assert.Equal("message", item.EventType);
                        id = item.EventId;
                        numbers.Add(JsonDocument.Parse(item.Data).RootElement.GetProperty("number").GetInt64());
                        if (numbers.Count == 3)
                        {
                            using var killed = await client.PostAsync($"kill/{node}", null, guard.Token);
                            Assert.Equal(System.Net.HttpStatusCode.NoContent, killed.StatusCode);
                        }

                        if (numbers.Count >= 10)
                        {
                            break;
                        }
                    }
                }
                catch (Exception exception) when (exception is IOException or HttpRequestException)
                {
                    // The node was killed in mid-stream.
                }
            }

            Assert.Equal(Enumerable.Range(0, numbers.Count).Select(i => numbers[0] + i), numbers);
            Assert.NotEqual(first, node);
        }
        finally
        {
            launcher.Kill(entireProcessTree: true);
        }
    }

    private static Process Start(string redis)
    {
        var configuration = typeof(TwoNodesTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "Configuration").Value!;
        var sample = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../samples/TwoNodes"));
        return Process.Start(new ProcessStartInfo(
            "dotnet", [Path.Combine(sample, "bin", configuration, "net10.0", "TwoNodes.dll"), "--urls", "http://127.0.0.1:0", "--redis", redis])
        {
            WorkingDirectory = sample,
            RedirectStandardOutput = true,
        })!;
    }

    private static async Task<Uri> AddressAsync(Process launcher, CancellationToken stop)
    {
        const string Said = "Now listening on: ";
        while (true)
        {
            var line = await launcher.StandardOutput.ReadLineAsync(stop) ?? throw new InvalidOperationException("The sample ended at once.");
            if (line.Contains(Said, StringComparison.Ordinal))
            {
                // What it logs later must not fill the pipe.
                _ = launcher.StandardOutput.ReadToEndAsync(CancellationToken.None);
                return new Uri(line[(line.IndexOf(Said, StringComparison.Ordinal) + Said.Length)..]);
            }
        }
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
