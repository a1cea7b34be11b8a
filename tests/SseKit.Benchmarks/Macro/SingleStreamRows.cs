using System.Diagnostics;
using SseKit.Benchmarks.Client;

namespace SseKit.Benchmarks.Macro;

/// <summary>One stream, as fast as it goes.</summary>
internal static class SingleStreamRows
{
    private static readonly Metric[] Metrics = [new("million events/s"), new("CPU µs/event", "0.000"), new("B/event")];

    public static IEnumerable<Row> All(bool quick)
    {
        // A turn takes half a second or more: how the threads share the cores changes within tens of milliseconds, and with it the rate by two.
        var n = quick ? 400_000 : 6_400_000;
        const int turns = 2;
        yield return Stream("text64", "One stream, 64 B text, source always ready", Content.Texts(64), n, turns,
        [
            new("events/s ÷ TypedResults", "SseKit", 0, "TypedResults", 3, AtLeast: true),
            new("CPU ÷ TypedResults", "SseKit", 1, "TypedResults", 0.4),
            new("B/event", "SseKit", 2, null, 1),
            new("stretch: events/s ÷ pre-encoded", "SseKit", 0, "bare Kestrel", 0.5, AtLeast: true),
        ]);
        yield return Stream("text512", "One stream, 512 B text, source always ready", Content.Texts(512), n / 4, turns,
            [new("events/s ÷ TypedResults", "SseKit", 0, "TypedResults", 1.3, AtLeast: true)]);
        yield return Stream("json", "One stream, typed JSON with source generation", [.. Enumerable.Range(0, Content.Period).Select(Content.Json)], n / 2, turns,
        [
            new("events/s ÷ TypedResults", "SseKit", 0, "TypedResults", 2.2, AtLeast: true),
            new("B/event", "SseKit", 2, null, 2),
        ], limit: "serializer on bare Kestrel");

        // In new processes for each turn: one has a fast or a slow way to pass work between its threads, and keeps to it.
        yield return Stream("waits", "A source that waits before every event, 64 B text", Content.Texts(64), n / 4, turns,
            [new("events/s ÷ TypedResults", "SseKit", 0, "TypedResults", 1, AtLeast: true)], wait: true, limit: "awaits on bare Kestrel");
        yield return Stream("h2c", "One stream over HTTP/2 without TLS, 64 B text, source always ready", Content.Texts(64), n / 2, turns,
            [new("events/s ÷ TypedResults", "SseKit", 0, "TypedResults", 1, AtLeast: true)], http2: true);
    }

    private static Row Stream(string name, string title, string[] data, int n, int turns, Bar[] bars, bool wait = false, string limit = "bare Kestrel", bool http2 = false)
    {
        var servers = new Servers();
        var period = Content.Stream(data);
        var what = name is "waits" or "h2c" ? "text64" : name;
        return new Row(name, title, Metrics,
        [
            Variant("SseKit", "ssekit"),
            .. wait ? [Variant("SseKit, WriteTimeout infinite", "ssekit", "--write-timeout-infinite")] : Array.Empty<Variant>(),
            Variant("TypedResults", "typed"),
            Variant("tutorial loop", "loop"),
            Variant(limit, "bare"),
        ], bars, servers.Dispose, turns, again: true, anewAfter: wait ? 1 : int.MaxValue);

        Variant Variant(string variant, string path, params string[] settings) => new(variant, () =>
        {
            var server = servers.Get(variant, () =>
            {
                var started = PeerProcess.Dotnet(settings);
                started.Warm(() =>
                {
                    Run(started, path, n / 32, empty: true);
                    Run(started, path, n / 32, empty: false);
                }, atLeast: 6);
                return started;
            });
            var empty = Run(server, path, n, empty: true);
            var full = Run(server, path, n, empty: false);
            return [n / full.Seconds / 1e6, full.Cpu / n, (full.Allocated - empty.Allocated) / n];
        });

        (double Seconds, double Cpu, double Allocated) Run(PeerProcess server, string path, int count, bool empty)
        {
            var target = $"/{path}/{what}?n={count}&wait={wait}&empty={empty}";
            var before = server.Usage();
            double seconds;
            if (http2)
            {
                using var stream = new Http2Stream(server.Ports[1], target);
                seconds = stream.Read(new ExactStream(period), empty ? 0 : count);
            }
            else
            {
                using var client = new Subscribers();
                var started = Stopwatch.GetTimestamp();
                client.Open(1, server.Port, Subscribers.Request(target), _ => new ExactStream(period), waitForHeaders: false);
                if (empty)
                {
                    client.WaitUntil(() => client.Readers[0].Done, "the end of the response");
                    seconds = 0;
                }
                else
                {
                    seconds = Stopwatch.GetElapsedTime(started, client.WaitForTotal(count)).TotalSeconds;
                }
            }

            var after = server.Usage();
            return (seconds, after.Cpu - before.Cpu, after.Allocated - before.Allocated);
        }
    }
}
