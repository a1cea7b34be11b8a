using SseKit.Benchmarks.Client;

namespace SseKit.Benchmarks.Macro;

/// <summary>One publisher, many subscribers: in bursts, and one event at a time.</summary>
internal static class FanOutRows
{
    public const int Burst = 100;

    public static IEnumerable<Row> All(bool quick)
    {
        foreach (var subscribers in (int[])[1000, 5000])
        {
            yield return FanOut($"burst-{subscribers}", $"Bursts of {Burst} events to {subscribers} subscribers", subscribers, Burst, 2_000_000 / Burst / subscribers,
            [
                new("CPU ÷ Channel + TypedResults", "SseKit", 0, "Channel + TypedResults", subscribers == 1000 ? 0.35 : 0.25),
                new("CPU ÷ nchan", "SseKit", 0, "nchan", 0.05),
            ]);
        }

        foreach (var subscribers in (int[])[1000, 5000])
        {
            yield return FanOut($"lone-{subscribers}", $"One event at a time to {subscribers} subscribers", subscribers, 1, (quick ? 50_000 : 100_000) / subscribers,
            [
                new("CPU ÷ Channel + TypedResults", "SseKit", 0, "Channel + TypedResults", 0.85),
                new("the same of bare Kestrel, one loop", "bare Kestrel, one loop", 0, "Channel + TypedResults"),
                new("CPU ÷ nchan", "SseKit", 0, "nchan", 1.15),
                new("B/delivery", "SseKit", 1, null, 2),
            ]);
        }
    }

    public static double[] Deliver(PeerProcess server, string path, Subscribers client, int subscribers, int burst, int times) =>
        Deliver(client, subscribers, burst, times, count => server.Publish(path, count), server.Usage, () => server.Calm());

    private static double[] Deliver(
        Subscribers client, int subscribers, int burst, int times, Action<int> publish, Func<(double Cpu, double Allocated)> usage, Action? calm = null)
    {
        var total = client.Total;
        Publish(2);
        calm?.Invoke();
        var before = usage();
        Publish(times);
        var after = usage();
        var deliveries = (double)subscribers * burst * times;
        return [(after.Cpu - before.Cpu) / deliveries, (after.Allocated - before.Allocated) / deliveries];

        void Publish(int count)
        {
            for (var i = 0; i < count; i++)
            {
                publish(burst);
                client.WaitForTotal(total += (long)subscribers * burst);
            }
        }
    }

    private static Row FanOut(string name, string title, int subscribers, int burst, int times, Bar[] bars)
    {
        var servers = new Servers();

        // Those that take ten times as long for a delivery in a burst.
        var slow = burst == 1 ? times : Math.Max(1, times / 4);
        return new Row(name, title, [new("CPU µs/delivery"), new("B/delivery")],
        [
            Dotnet("SseKit", "ssekit"),
            Dotnet("Channel + TypedResults", "typed"),
            Dotnet("bare Kestrel, one loop", "bare"),

            // As many bytes as SseKit's, which are felt in a burst.
            .. burst == 1 ? Array.Empty<Variant>() : [Dotnet("bare Kestrel, one loop, with ids", "bare-ids")],
            new Variant("nchan", () =>
            {
                if (!Nchan.IsInstalled)
                {
                    return null;
                }

                var server = servers.Get("nchan", () => new Nchan());
                using var client = Open(server.Port, "/nchan/topic", subscribers);
                return [Deliver(client, subscribers, burst, slow, server.Publish, () => (server.Cpu(), 0))[0], double.NaN];
            }),
            new Variant("better-sse", () =>
            {
                if (!BetterSse.IsInstalled)
                {
                    return null;
                }

                var server = servers.Get("better-sse", () => BetterSse.Start());
                server.Settle();
                using var client = Open(server.Port, "/", subscribers);
                return [Deliver(client, subscribers, burst, slow, count => server.Publish("", count), server.Usage)[0], double.NaN];
            }),
        ], bars, servers.Dispose, turnsPerRound: 3);

        Variant Dotnet(string variant, string path) => new(variant, () =>
        {
            var server = servers.Get(variant, () =>
            {
                var started = PeerProcess.Dotnet();
                Warm(started, path, subscribers, burst, Math.Max(2, times / 2));
                return started;
            });
            server.Settle();
            using var client = Open(server, path, subscribers);
            return Deliver(server, path, client, subscribers, burst, times);
        });
    }

    public static void Warm(PeerProcess server, string path, int subscribers, int burst, int times) => server.Warm(() =>
    {
        server.Settle();
        using var client = Open(server, path, subscribers);
        Deliver(server, path, client, subscribers, burst, times);
    });

    /// <summary>Subscribes to the topic of a variant in .NET.</summary>
    public static Subscribers Open(PeerProcess server, string variant, int subscribers) =>
        Open(variant == "sockets" ? server.Ports[2] : server.Port, $"/{variant}/topic", subscribers);

    private static Subscribers Open(int port, string path, int subscribers)
    {
        var client = new Subscribers(threads: 2);
        client.Open(subscribers, port, Subscribers.Request(path), latencies => new NumberedEvents(latencies));

        // A peer may send its headers a moment before it is subscribed.
        Thread.Sleep(200);
        return client;
    }
}
