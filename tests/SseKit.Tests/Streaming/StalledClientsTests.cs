using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Diagnostics;

namespace SseKit.Tests.Streaming;

/// <summary>Many clients that do not read, among many that do.</summary>
public sealed class StalledClientsTests(ITestOutputHelper output)
{
    private const int Clients = 100;
    private const int EventCount = 600;

    // What the guide promises: Kestrel's response buffer and 64 KiB of events.
    private const int Bound = (64 + 64) * 1024;

    // What the two sockets of a connection may hold on the server's side, and what frames the chunks.
    private const int KernelAndFraming = 16 * 1024;

    private readonly FakeTimeProvider _time = new();
    private readonly string _text = new('x', 2000);

    [Fact]
    public async Task A_hundred_who_never_read_hold_little_and_cost_a_hundred_who_do_nothing()
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapSse("/reading", "orders");
                web.MapSse("/idle", "idle");
                for (var i = 0; i < Clients; i++)
                {
                    // A route for each, by which the metrics tell them apart.
                    web.MapSse($"/stalled/{i}", "orders");
                }
            },
            services: services =>
            {
                // The kernel cuts off by TCP_USER_TIMEOUT, in real time, and is not to help here.
                services.AddSse(options =>
                {
                    options.WriteTimeout = TimeSpan.FromMinutes(2);
                    options.SendStartPosition = false;

                    // Who reads is never behind what is kept, however busy the machine.
                    options.MaxBytesPerTopic = 16 * 1024 * 1024;
                });
            },
            time: _time);
        using var readings = new Readings(app.Web);
        using var idle = await app.OpenAsync("/idle");
        var stalled = await Task.WhenAll(Enumerable.Range(0, Clients).Select(async i =>
        {
            var client = await RawClient.ConnectAsync(app.Port, receiveBuffer: 4096);
            await client.GetAsync($"/stalled/{i}");
            await client.ReadToAsync("\r\n\r\n");
            return client;
        }));
        var readers = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => app.OpenAsync("/reading")));
        await Waiting.Until(() => app.Streams.Streams.Count == (2 * Clients) + 1);

        var reading = readers.Select(reader => Task.Run(() => ReadAllAsync(reader))).ToArray();
        var topics = app.Web.Services.GetRequiredService<ISseTopics>();
        for (var i = 0; i < EventCount; i++)
        {
            await topics.PublishAsync("orders", $"{i} {_text}", TestContext.Current.CancellationToken);
        }

        // Everything, while the others sit.
        await Task.WhenAll(reading).Soon();
        Assert.Equal((2 * Clients) + 1, app.Streams.Streams.Count);

        // What was handed to the server and has not arrived in the client's socket is held by the server, or by the kernel.
        var handed = stalled.Select((_, i) => (long)readings.Sum("ssekit.stream.io", $"http.route=/stalled/{i}")).ToList();
        var held = stalled.Zip(handed, (client, bytes) => bytes - client.Available).ToList();
        output.WriteLine($"Held for a stalled client: {held.Min()} to {held.Max()} bytes, of {EventCount * _text.Length}.");
        Assert.All(held, bytes => Assert.InRange(bytes, 0, Bound + KernelAndFraming));
        Assert.All(handed, bytes => Assert.InRange(bytes, 1, EventCount * _text.Length / 2));

        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal(":\n", await idle.ReadToAsync("\n"));

        await Waiting.Until(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return app.Streams.Streams.Count == Clients + 1;
        });
        await topics.PublishAsync("orders", "the last one", TestContext.Current.CancellationToken);
        await Task.WhenAll(readers.Select(reader => reader.ReadToAsync("data: the last one\n")));
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
        foreach (var client in stalled)
        {
            client.Dispose();
        }
    }

    private static async Task ReadAllAsync(ClientStream reader)
    {
        for (var i = 0; i < EventCount; i++)
        {
            var block = await reader.ReadToAsync("\n\n");
            var data = block[(block.IndexOf("data: ", StringComparison.Ordinal) + 6)..];
            Assert.Equal(i, int.Parse(data.AsSpan(0, data.IndexOf(' ')), CultureInfo.InvariantCulture));
        }
    }
}
