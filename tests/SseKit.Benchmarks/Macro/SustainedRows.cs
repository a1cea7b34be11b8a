using System.Diagnostics;
using SseKit.Benchmarks.Client;

namespace SseKit.Benchmarks.Macro;

/// <summary>A steady rate to many subscribers: how much of it is carried, and how late events are at a rate that all carry.</summary>
internal static class SustainedRows
{
    private const int Subscribers = 5000;

    // More than any of them carries on two cores of the machine that the results are from; 400,000 all carry.
    private const int Offered = 10_000_000;
    private const int Easy = 50_000;

    public static IEnumerable<Row> All(bool quick)
    {
        var seconds = quick ? 3 : 4;
        var servers = new Servers();
        yield return new Row("sustained", $"{Offered:N0} deliveries/s offered to {Subscribers} subscribers for {seconds} s; then {Easy:N0}/s",
            [new("deliveries/s carried", "0"), new($"p50 at {Easy:N0}/s, ms", "0.0"), new($"p99 at {Easy:N0}/s, ms", "0.0")],
            [Variant("SseKit", "ssekit"), Variant("Channel + TypedResults", "typed")],
            [
                new("carried ÷ Channel + TypedResults", "SseKit", 0, "Channel + TypedResults", 1.8, AtLeast: true),
                new("p99 ÷ Channel + TypedResults", "SseKit", 2, "Channel + TypedResults", 1),
            ],
            servers.Dispose, mostRounds: 3);

        Variant Variant(string name, string path) => new(name, () =>
        {
            // Long enough a ring for whoever lags: what is measured is how fast it goes, not what a gap is told like.
            var server = servers.Get(name, () => PeerProcess.Dotnet("--ring", "100000"));
            server.Settle();
            using var client = new Subscribers(threads: 2, latencies: true);
            client.Open(Subscribers, server.Port, Client.Subscribers.Request($"/{path}/topic"), latencies => new NumberedEvents(latencies));
            Thread.Sleep(200);

            Publish(Easy, 1);
            client.ClearLatencies();
            Publish(Easy, seconds);
            var (p50, p99) = (LatencyHistogram.Percentile(client.Latencies, 50), LatencyHistogram.Percentile(client.Latencies, 99));

            var began = client.Total;
            var count = Offered / Subscribers * (seconds + 1);
            server.Ask($"start {path} {count} {1_000_000L * Subscribers / Offered}");
            Thread.Sleep(1000);
            var (before, started) = (client.Total, Stopwatch.GetTimestamp());
            Thread.Sleep(TimeSpan.FromSeconds(seconds - 0.5));
            var carried = (client.Total - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;

            // All of it, however late: nothing may be lost.
            client.WaitForTotal(began + ((long)count * Subscribers));
            return [carried, p50, p99];

            void Publish(int rate, int forSeconds)
            {
                var events = rate / Subscribers * forSeconds;
                var total = client.Total;
                server.Ask($"start {path} {events} {1_000_000L * Subscribers / rate}");
                client.WaitForTotal(total + ((long)events * Subscribers));
            }
        });
    }
}
