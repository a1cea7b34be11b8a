namespace SseKit.Benchmarks.Macro;

/// <summary>What must not grow: with the subscribers, with the backlog, with the topic's rate.</summary>
internal static class GrowthRows
{
    public static IEnumerable<Row> All(bool quick)
    {
        yield return Subscribers("growth-lone", "Growth: one event at a time to ten times the subscribers", 1, quick ? 50_000 : 100_000, 1.3);
        yield return Subscribers("growth-burst", $"Growth: bursts of {FanOutRows.Burst} events to ten times the subscribers", FanOutRows.Burst, quick ? 1_000_000 : 2_000_000, 1.8);

        yield return new Row("growth-backlog", "Growth: a publish to a full topic, nobody reads", [new("ns/publish", "0")],
            [Publish("backlog of 1,000", 1_000), Publish("backlog of 100,000", 100_000)],
            [new("100,000 ÷ 1,000", "backlog of 100,000", 0, "backlog of 1,000", 1.3)], turnsPerRound: 2);

        var seconds = quick ? 2 : 4;
        yield return new Row("growth-rate", $"Growth: memory of 5,000 subscribers, after {seconds} s of a topic's events", [new("B/subscriber", "0")],
            [Memory("silent", 0, seconds), Memory("4 events/s", 4, seconds), Memory("40 events/s", 40, seconds)],
            [new("at 40 events/s ÷ at 4", "40 events/s", 0, "4 events/s", 1.15)], mostRounds: 3);
    }

    private static Row Subscribers(string name, string title, int burst, int deliveries, double limit)
    {
        var servers = new Servers();
        return new Row(name, title, [new("CPU µs/delivery"), new("B/delivery")],
            [
                Variant("1,000 subscribers", "ssekit", 1_000), Variant("10,000 subscribers", "ssekit", 10_000),
                Variant("bare Kestrel, one loop, 1,000", "bare", 1_000), Variant("bare Kestrel, one loop, 10,000", "bare", 10_000),
                Variant("sockets alone, one loop, 1,000", "sockets", 1_000), Variant("sockets alone, one loop, 10,000", "sockets", 10_000),
            ],
            [
                new("CPU at 10,000 ÷ at 1,000", "10,000 subscribers", 0, "1,000 subscribers", limit),
                new("the same of bare Kestrel, one loop", "bare Kestrel, one loop, 10,000", 0, "bare Kestrel, one loop, 1,000"),
                new("the same of sockets alone, one loop", "sockets alone, one loop, 10,000", 0, "sockets alone, one loop, 1,000"),
            ], servers.Dispose, turnsPerRound: 3);

        Variant Variant(string variant, string path, int subscribers) => new(variant, () =>
        {
            var times = Math.Max(1, deliveries / burst / subscribers);
            var server = servers.Get(path, () =>
            {
                var started = PeerProcess.Dotnet();
                FanOutRows.Warm(started, path, 1_000, burst, Math.Max(1, deliveries / burst / 2_000));
                return started;
            });
            server.Settle();
            using var client = FanOutRows.Open(server, path, subscribers);
            return FanOutRows.Deliver(server, path, client, subscribers, burst, times);
        });
    }

    private static Variant Publish(string name, int ring) => new(name, () =>
    {
        using var server = PeerProcess.Dotnet("--ring", $"{ring}");
        server.Ask($"cost {ring}");
        return server.Ask($"cost {ring}");
    });

    private static Variant Memory(string name, int rate, int seconds) => new(name, () =>
    {
        const int Count = 5_000;
        using var server = PeerProcess.Dotnet();
        FanOutRows.Warm(server, "ssekit", subscribers: 100, burst: 1, times: 20);
        server.Settle();
        var empty = server.Memory();
        using var client = FanOutRows.Open(server, "ssekit", Count);
        if (rate > 0)
        {
            server.Ask($"start ssekit {rate * seconds} {1_000_000 / rate}");
            client.WaitForTotal((long)rate * seconds * Count);
        }

        return [(server.Memory() - empty) / Count];
    });
}
