using SseKit.Benchmarks.Client;

namespace SseKit.Benchmarks.Macro;

/// <summary>What <c>UseSse()</c> costs a response that is no event stream.</summary>
internal static class MiddlewareRows
{
    private const int Connections = 8;
    private const int Pipelined = 32;

    public static IEnumerable<Row> All(bool quick)
    {
        var requests = quick ? 100_000 : 200_000;
        var server = new Lazy<PeerProcess>(() =>
        {
            var started = PeerProcess.Dotnet("--watched");
            started.Warm(() =>
            {
                Measure(started, "/plain", requests / 4);
                Measure(started, "/watched", requests / 4);
            });

            return started;
        });
        var previous = (Cpu: 0.0, Allocated: 0.0);
        yield return new Row("middleware", $"Middleware on a response that is not SSE ({Pipelined} requests in a packet, {Connections} connections)",
            [new("CPU µs/request"), new("B/request", "0"), new("CPU µs more", "0.00"), new("B more", "0")],
            [
                new("without", () =>
                {
                    previous = Measure(server.Value, "/plain", requests);
                    return [previous.Cpu, previous.Allocated, 0, 0];
                }),
                new("UseSse", () =>
                {
                    var (cpu, allocated) = Measure(server.Value, "/watched", requests);
                    return [cpu, allocated, cpu - previous.Cpu, allocated - previous.Allocated];
                }),
            ],
            [new("CPU µs more", "UseSse", 2, null, 0.3), new("B more", "UseSse", 3, null, 200)],
            () => server.Value.Dispose(), turnsPerRound: 5, rotate: false);
    }

    private static (double Cpu, double Allocated) Measure(PeerProcess server, string path, int requests)
    {
        var one = System.Text.Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        byte[] many = [.. Enumerable.Repeat(one, Pipelined).SelectMany(bytes => bytes)];
        var sockets = Enumerable.Range(0, Connections).Select(_ => Libc.Connect(0, server.Port)).ToArray();
        try
        {
            Run(requests / 4);
            var before = server.Usage();
            Run(requests);
            var after = server.Usage();
            return ((after.Cpu - before.Cpu) / requests, (after.Allocated - before.Allocated) / requests);
        }
        finally
        {
            foreach (var socket in sockets)
            {
                _ = Libc.Close(socket);
            }
        }

        void Run(int count)
        {
            for (var sent = 0; sent < count; sent += Pipelined * Connections)
            {
                foreach (var socket in sockets)
                {
                    Libc.SendAll(socket, many);
                }

                foreach (var socket in sockets)
                {
                    // Each answer ends with "ok", and no other k is in it: this is right however the packets are cut.
                    for (var answers = 0; answers < Pipelined;)
                    {
                        answers += Libc.ReceiveSome(socket).Count((byte)'k');
                    }
                }
            }
        }
    }
}
