using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Streaming;

/// <summary>A limit that is reached, and a crowd before the door.</summary>
public sealed partial class CrowdTests
{
    private const int Limit = 100;
    private const int Crowd = 900;

    [Fact]
    public async Task A_limit_that_a_hundred_hold_sends_nine_hundred_away_each_with_a_time_of_its_own_and_keeps_the_hundred()
    {
        await using var app = await TestApp.StartAsync(
            web => web.MapSse("/", "orders"),
            services: services => services.AddSse(options =>
            {
                options.MaxConnections = Limit;
                options.ReconnectSpread = TimeSpan.FromMinutes(10);
            }));
        var inside = await Task.WhenAll(Enumerable.Range(0, Limit).Select(_ => OpenAsync(app)));
        foreach (var client in inside)
        {
            await client.ReadToAsync("\n\n\r\n");
        }

        var times = new ConcurrentBag<int>();
        await Parallel.ForAsync(0, Crowd, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = TestContext.Current.CancellationToken }, async (_, _) =>
        {
            using var client = await OpenAsync(app);
            var answer = await client.ReadToAsync("0\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer, StringComparison.Ordinal);
            Assert.Contains("\r\nContent-Type: text/event-stream\r\n", answer, StringComparison.Ordinal);
            var away = Away().Match(answer);
            Assert.True(away.Success, answer);
            times.Add(int.Parse(away.Groups[1].Value, CultureInfo.InvariantCulture));
        });

        Assert.All(times, time => Assert.InRange(time, 3_000, 603_000));
        Assert.True(times.Distinct().Count() >= 0.9 * Crowd, $"{times.Distinct().Count()} of {Crowd} times differ.");

        // Nobody was put out for them.
        Assert.Equal(Limit, app.Streams.Streams.Count);
        await app.Web.Services.GetRequiredService<ISseTopics>().PublishAsync("orders", "still here", TestContext.Current.CancellationToken);
        foreach (var client in inside)
        {
            await client.ReadToAsync("data: still here\n");
            client.Dispose();
        }

        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [GeneratedRegex(@"\r\n\r\n[0-9a-f]+\r\nretry: ([0-9]+)\n\r\n0\r\n\r\n\z")]
    private static partial Regex Away();

    private static async Task<RawClient> OpenAsync(TestApp app)
    {
        var client = await RawClient.ConnectAsync(app.Port);
        await client.GetAsync("/");
        return client;
    }
}
