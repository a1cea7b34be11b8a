using System.Diagnostics;
using SseKit.Benchmarks.Client;

namespace SseKit.Benchmarks.Macro;

/// <summary>How soon a stream begins, and how soon a client has what it missed.</summary>
internal static class OpeningRows
{
    private const int Missed = 10_000;

    public static IEnumerable<Row> All(bool quick)
    {
        yield return Headers(quick ? 100 : 300);
        yield return Resume(quick ? 20 : 50);
    }

    private static Row Headers(int count)
    {
        var server = new Lazy<PeerProcess>(() => PeerProcess.Dotnet());
        var warm = new HashSet<string>();
        return new Row("headers", "Headers of a silent stream: from the request on an open connection to the end of the headers", [new("median ms", "0.000"), new("p99 ms", "0.000")],
            [Variant("SseKit", "/ssekit/silent"), Variant("SseKit topic", "/ssekit/topic"), Variant("bare Kestrel, StartAsync", "/bare/silent")],
            [
                new("median ÷ bare Kestrel", "SseKit", 0, "bare Kestrel, StartAsync", 1.5),
                new("median of a topic ÷ bare Kestrel", "SseKit topic", 0, "bare Kestrel, StartAsync", 1.5),
            ],
            () => server.Value.Dispose(), turnsPerRound: 2);

        Variant Variant(string name, string path) => new(name, () =>
        {
            if (warm.Add(path))
            {
                server.Value.Warm(() => Measure(path, 100));
            }

            var times = Measure(path, count);
            return [times[times.Count / 2], times[times.Count * 99 / 100]];
        });

        List<double> Measure(string path, int count)
        {
            var times = new List<double>();
            var request = Subscribers.Request(path);
            for (var i = 0; i < count; i++)
            {
                var socket = Libc.Connect(0, server.Value.Port);
                try
                {
                    // The server has taken the connection when the request comes: that it does so is not the stream's business.
                    Thread.SpinWait(2000);
                    var started = Stopwatch.GetTimestamp();
                    Libc.SendAll(socket, request);
                    var reader = new HttpResponseReader(new NumberedEvents(null));
                    while (reader.HeadersAt == 0)
                    {
                        reader.Take(Libc.ReceiveSome(socket));
                    }

                    times.Add(Stopwatch.GetElapsedTime(started, reader.HeadersAt).TotalMilliseconds);
                }
                finally
                {
                    _ = Libc.Close(socket);
                }
            }

            times.Sort();
            return times;
        }
    }

    private static Row Resume(int count)
    {
        var servers = new Servers();
        return new Row("resume", $"Resume: {Missed:N0} events of {Content.FanOutLength} B from the ring, from the request to the last event", [new("median ms", "0.00"), new("CPU ms", "0.00")],
            [
                Variant("SseKit, ring of 10,000", 10_000, resume: true),
                Variant("SseKit, ring of 100,000", 100_000, resume: true),
                Variant("TypedResults from a list", 0, resume: false, "/typed/replay"),
                Variant("bare Kestrel, the same bytes at once", 0, resume: false, "/bare/replay"),
            ],
            [
                new("time ÷ the same bytes at once", "SseKit, ring of 10,000", 0, "bare Kestrel, the same bytes at once", 2),
                new("ring of 100,000 ÷ ring of 10,000, CPU", "SseKit, ring of 100,000", 1, "SseKit, ring of 10,000", 1.1),
            ],
            servers.Dispose, turnsPerRound: 2);

        Variant Variant(string name, int ring, bool resume, string path = "/ssekit/topic") => new(name, () =>
        {
            var server = servers.Get(name, () =>
            {
                var started = PeerProcess.Dotnet(resume ? ["--ring", $"{ring}"] : ["--replay", $"{Missed}"]);
                if (resume)
                {
                    started.Publish("ssekit", ring - Missed);
                }

                var first = Miss(started);
                started.Warm(() =>
                {
                    for (var i = 0; i < 20; i++)
                    {
                        Once(started, first);
                    }
                });

                return started;
            });
            var request = Miss(server);
            var times = new List<double>();
            var before = server.Usage();
            for (var i = 0; i < count; i++)
            {
                times.Add(Once(server, request));
            }

            var after = server.Usage();
            times.Sort();
            return [times[times.Count / 2], (after.Cpu - before.Cpu) / count / 1000];

            byte[] Miss(PeerProcess server)
            {
                if (!resume)
                {
                    return Subscribers.Request(path);
                }

                var last = server.AskText("position");
                server.Publish("ssekit", Missed);
                return Subscribers.Request(path, $"Last-Event-ID: {last}");
            }
        });
    }

    private static double Once(PeerProcess server, byte[] request)
    {
        using var client = new Subscribers();
        var started = Stopwatch.GetTimestamp();
        client.Open(1, server.Port, request, latencies => new NumberedEvents(latencies), waitForHeaders: false);
        return Stopwatch.GetElapsedTime(started, client.WaitForTotal(Missed)).TotalMilliseconds;
    }
}
