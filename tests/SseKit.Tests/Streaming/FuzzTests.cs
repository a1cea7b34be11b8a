using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Streaming;
using SseKit.Tests.Watching;
using SseKit.Topics;

namespace SseKit.Tests.Streaming;

/// <summary>
/// Clients that say anything and leave in any way. A few hundred; as many as SSEKIT_FUZZ_CONNECTIONS says on demand. What one does follows from
/// SSEKIT_FUZZ_SEED and its number alone.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private static readonly string[] Paths = ["/topic", "/topic/a", "/topic/b%20c", "/source", "/short", "/watched", "/loop", "/plain", "/nowhere", "/topic/" + new string('x', 300)];

    [Fact]
    public async Task Whatever_clients_send_and_however_they_leave_nothing_of_them_stays()
    {
        var seed = Number("SSEKIT_FUZZ_SEED") ?? Random.Shared.Next();
        var connections = Number("SSEKIT_FUZZ_CONNECTIONS") ?? 600;
        var open = 0;
        var requests = 0;
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.Use(async (context, next) =>
                {
                    Interlocked.Increment(ref open);
                    Interlocked.Increment(ref requests);
                    try
                    {
                        await next(context);
                    }
                    finally
                    {
                        Interlocked.Decrement(ref open);
                    }
                });
                web.UseSse();
                web.MapSse("/topic", "orders");
                web.MapSse("/topic/{name}", context => $"{context.GetRouteValue("name")}");
                web.MapGet("/source", () => new EventSourceResult(Events.Silence()));
                web.MapGet("/short", () => new EventSourceResult(Events.Of("a", "b", "c")));
                web.MapGet("/watched", (CancellationToken stop) => TypedResults.ServerSentEvents(TextsAsync(stop)));
                web.MapGet("/loop", async (HttpContext context, CancellationToken stop) =>
                {
                    context.Response.ContentType = "text/event-stream";
                    await context.Response.WriteAsync("data: a\n\n", stop);
                    await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                });
                web.MapGet("/plain", () => "plain");
            },
            services: services => services.AddSse(options => options.KeepAliveInterval = TimeSpan.FromMilliseconds(100)));
        using var kestrel = new OpenConnections(app);
        var topics = app.Web.Services.GetRequiredService<ISseTopics>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var publishing = PublishAsync(topics, stop.Token);
        var ids = new List<string> { await topics.GetPositionAsync("orders", stop.Token) };
        for (var i = 0; i < 3; i++)
        {
            ids.Add(await topics.PublishAsync("orders", "for replay", stop.Token));
        }

        try
        {
            await Parallel.ForAsync(0, connections, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = stop.Token }, async (number, _) =>
            {
                try
                {
                    await VisitAsync(app.Port, new Random(unchecked((seed * 397) ^ number)), ids);
                }
                catch (SocketException)
                {
                    // The server may be quicker to close than a client is to send.
                }
            });
            await stop.CancelAsync();
            await publishing;

            // Not all that is sent is a request; but something must have been, for the rest to mean anything.
            output.WriteLine($"{connections} connections, of which the server saw {kestrel.Seen}; {requests} requests.");
            Assert.InRange(kestrel.Seen, connections / 2, connections);
            Assert.True(requests > connections / 4);
            await Waiting.Until(() => kestrel.Count == 0);
            await Waiting.Until(() => Volatile.Read(ref open) == 0);
            await Waiting.Until(() => app.OpenStreams() == 0);
            await Waiting.Until(() => app.Web.Services.GetRequiredService<ISseConnections>().Count == 0);
            await Waiting.Until(() => app.WheelsOfKeepAlives().Count == 0);
            await Waiting.Until(() => !TopicState.IsChecking(app.Streams.Streams));
            await Waiting.Until(() => TopicState.ReadersAndWaiters((InMemoryBacklog)app.Web.Services.GetRequiredService<ISseBacklog>()) == 0);
            Assert.Empty(app.Log.OursAboveDebug);
            Assert.Empty(app.Log.Troubles);
        }
        catch (Exception)
        {
            output.WriteLine($"SSEKIT_FUZZ_SEED={seed} SSEKIT_FUZZ_CONNECTIONS={connections}");
            throw;
        }
    }

    private static async Task VisitAsync(int port, Random random, List<string> ids)
    {
        using var client = await RawClient.ConnectAsync(port, receiveBuffer: random.Next(4) == 0 ? 4096 : null);
        var requests = new StringBuilder();
        for (var i = random.Next(8) switch { 0 => 0, < 6 => 1, _ => random.Next(2, 5) }; i > 0; i--)
        {
            AppendRequest(requests, random, ids);
        }

        // In one piece, in several, or not to its end.
        var text = requests.ToString();
        var sent = 0;
        var end = random.Next(10) == 0 ? random.Next(text.Length + 1) : text.Length;
        while (sent < end)
        {
            var length = random.Next(3) == 0 ? random.Next(1, end - sent + 1) : end - sent;
            await client.SendAsync(text.Substring(sent, length));
            sent += length;
            if (random.Next(3) == 0)
            {
                await Task.Delay(random.Next(3));
            }
        }

        if (random.Next(3) > 0)
        {
            await Task.Delay(random.Next(20));
        }

        switch (random.Next(4))
        {
            case 0:
                client.Reset();
                break;
            case 1:
                client.Finish();
                await client.ReadToAsync(null);
                break;
            case 2:
                client.Finish();
                break;
            default:
                // Just closes, which is a reset where something was not read.
                break;
        }
    }

    private static void AppendRequest(StringBuilder text, Random random, List<string> ids)
    {
        text.Append(random.Next(12) switch
        {
            0 => "HEAD",
            1 => "POST",
            2 => "OPTIONS",
            3 => Junk(random, 8),
            _ => "GET",
        });
        text.Append(' ').Append(Paths[random.Next(Paths.Length)]);
        if (random.Next(4) == 0)
        {
            text.Append("?lastEventId=").Append(random.Next(2) == 0 ? ids[random.Next(ids.Count)] : Uri.EscapeDataString(Junk(random, 40)));
        }

        text.Append(random.Next(12) switch
        {
            0 => " HTTP/1.0",
            1 => " HTTP/2.0",
            2 => Junk(random, 12),
            _ => " HTTP/1.1",
        }).Append("\r\n");
        if (random.Next(15) > 0)
        {
            text.Append("Host: localhost\r\n");
        }

        for (var i = random.Next(3); i > 0; i--)
        {
            text.Append("Last-Event-ID: ").Append(random.Next(6) switch
            {
                0 => "",
                1 => new string('9', random.Next(2000)),
                2 => Junk(random, 60),
                3 => $" {ids[random.Next(ids.Count)]} ",
                _ => ids[random.Next(ids.Count)],
            }).Append("\r\n");
        }

        for (var i = random.Next(3); i > 0; i--)
        {
            text.Append(random.Next(8) switch
            {
                0 => "Connection: close",
                1 => "Connection: keep-alive",
                2 => $"Content-Length: {random.Next(100)}",
                3 => "Transfer-Encoding: chunked",
                4 => "Expect: 100-continue",
                5 => $"{Junk(random, 10)}: {Junk(random, 30)}",
                6 => "Connection: Upgrade\r\nUpgrade: h2c",
                _ => "Accept: text/event-stream",
            }).Append("\r\n");
        }

        text.Append("\r\n");
    }

    // Any byte, sent as it is: line ends, controls, and what is no UTF-8.
    private static string Junk(Random random, int most) => string.Create(random.Next(1, most), random, static (span, random) =>
    {
        foreach (ref var character in span)
        {
            character = (char)(random.Next(3) == 0 ? random.Next(256) : random.Next('!', '~'));
        }
    });

    private static async Task PublishAsync(ISseTopics topics, CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            await topics.PublishAsync("orders", $"{i}", CancellationToken.None);
            await Task.Delay(1, CancellationToken.None);
        }
    }

    private static async IAsyncEnumerable<string> TextsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            yield return "text";
            await Task.Delay(5, cancellationToken);
        }
    }

    private static int? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    /// <summary>How many connections the server has.</summary>
    private sealed class OpenConnections : IDisposable
    {
        private readonly MeterListener _listener = new();
        private long _count;
        private long _seen;

        public OpenConnections(TestApp app)
        {
            var meters = app.Web.Services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "kestrel.active_connections" && ReferenceEquals(instrument.Meter.Scope, meters))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((_, change, _, _) =>
            {
                Interlocked.Add(ref _count, change);
                Interlocked.Add(ref _seen, Math.Max(change, 0));
            });
            _listener.Start();
        }

        public long Seen => Interlocked.Read(ref _seen);

        public long Count => Interlocked.Read(ref _count);

        public void Dispose() => _listener.Dispose();
    }

    /// <summary>Looks into the backlog and the registry.</summary>
    private static class TopicState
    {
        public static int ReadersAndWaiters(InMemoryBacklog backlog)
        {
            lock (GateOf(backlog))
            {
                return TopicsOf(backlog).Values.Sum(topic => topic.Readers + topic.Subscribers + CountOf(WaitingOf(topic)));
            }
        }

        public static bool IsChecking(StreamRegistry registry) => CheckOf(registry) is not null;

        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_gate")]
        private static extern ref readonly Lock GateOf(InMemoryBacklog backlog);

        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_topics")]
        private static extern ref readonly Dictionary<string, MemoryTopic> TopicsOf(InMemoryBacklog backlog);

        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_waiting")]
        private static extern ref readonly WaiterQueue WaitingOf(TopicLog topic);

        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_count")]
        private static extern ref readonly int CountOf(WaiterQueue waiting);

        [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_check")]
        private static extern ref ITimer? CheckOf(StreamRegistry registry);
    }
}
