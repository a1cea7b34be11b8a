using System.Diagnostics;
using SseKit.Benchmarks.Client;

namespace SseKit.Benchmarks.Macro;

/// <summary>Connections on which nothing happens but keep-alives.</summary>
internal static class IdleRows
{
    private const int Connections = 10_000;
    private const int KeepAliveSeconds = 5;

    private static readonly Metric[] Metrics =
    [
        new("B/connection", "0"), new("B allocated/keep-alive"), new("CPU µs/keep-alive", "0.0"), new("keep-alives/connection and interval"),
    ];

    public static IEnumerable<Row> All()
    {
        // One by one over an interval, as clients come.
        var interval = TimeSpan.FromSeconds(KeepAliveSeconds);
        yield return new Row("idle", $"Idle: {Connections} connections that came one by one, a keep-alive every {KeepAliveSeconds} s", Metrics,
            [
                Dotnet("SseKit topic", "/ssekit/topic", interval),
                Dotnet("SseKit silent source", "/ssekit/silent", interval),
                Dotnet("PeriodicTimer per connection", "/timer/silent", interval),
                Dotnet("bare Kestrel, one loop", "/spread/silent", interval),
                Dotnet("bare Kestrel, awaiting the silent source", "/bare/source", interval),
                Dotnet("bare Kestrel, waiting request", "/bare/silent", interval),
            ],
            [
                new("memory of a topic's subscriber ÷ bare Kestrel", "SseKit topic", 0, "bare Kestrel, waiting request", 1.12),
                new("memory of a silent source ÷ bare Kestrel", "SseKit silent source", 0, "bare Kestrel, waiting request", 1.12),
                new("B allocated/keep-alive", "SseKit topic", 1, null, 1),
                new("keep-alive CPU ÷ PeriodicTimer", "SseKit topic", 2, "PeriodicTimer per connection", 0.6),
            ],
            mostRounds: 3);

        // The timers of those that come at once fall due at once as well, which spares them half of what they cost.
        yield return new Row("idle-at-once", $"The same, of {Connections} connections that came at once", Metrics,
            [
                Dotnet("SseKit topic", "/ssekit/topic", TimeSpan.Zero),
                Dotnet("PeriodicTimer per connection", "/timer/silent", TimeSpan.Zero),
                Dotnet("bare Kestrel, one loop", "/spread/silent", TimeSpan.Zero),
            ],
            [new("keep-alive CPU ÷ PeriodicTimer", "SseKit topic", 2, "PeriodicTimer per connection", 1)],
            mostRounds: 1);
    }

    // A process for each measurement: memory that one measurement left behind would be another's.
    private static Variant Dotnet(string name, string path, TimeSpan comeOver) => new(name, () =>
    {
        using var server = PeerProcess.Dotnet("--keep-alive", $"{KeepAliveSeconds}");

        // With keep-alives: what the compiler takes for the code that they run through belongs to the empty server.
        using (var warm = Open(server, path, 1_000, TimeSpan.Zero))
        {
            Thread.Sleep(TimeSpan.FromSeconds(KeepAliveSeconds * 2.2));
        }

        server.Calm();
        server.Settle();
        var empty = server.Memory();
        using var client = Open(server, path, Connections, comeOver);

        // In the first turns all is compiled, every connection gets its buffers, and those that came at once find places of their own.
        Thread.Sleep(TimeSpan.FromSeconds(KeepAliveSeconds * 3.5));
        server.Calm();
        var (usage, comments, started) = (server.Usage(), client.Comments, Stopwatch.GetTimestamp());
        Thread.Sleep(TimeSpan.FromSeconds(KeepAliveSeconds));
        var (after, kept) = (server.Usage(), (double)client.Comments - comments);
        var turned = Stopwatch.GetElapsedTime(started).TotalSeconds / KeepAliveSeconds;
        var memory = (server.Memory() - empty) / Connections;
        client.Check();
        return kept == 0
            ? [memory, double.NaN, double.NaN, 0]
            : [memory, (after.Allocated - usage.Allocated) / kept, (after.Cpu - usage.Cpu) / kept, kept / Connections / turned];
    });

    private static Subscribers Open(PeerProcess server, string path, int count, TimeSpan over)
    {
        var client = new Subscribers(threads: 2);
        client.Open(count, server.Port, Subscribers.Request(path), latencies => new NumberedEvents(latencies), over: over);
        return client;
    }
}
