using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using SseKit.Tests.Repository;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Samples;

/// <summary>A program with as many open streams as it may have, told by the system to stop.</summary>
public sealed partial class StopSignalTests(ITestOutputHelper output)
{
    private const int Most = 2000;

    // Each stream is a file in this process, and the rest of the test run has some, too.
    private const int FilesForOthers = 600;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_thousand_streams_end_cleanly_at_a_signal_each_with_a_time_of_its_own()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("The sample is stopped by SIGTERM, which Windows does not have.");
        }

        var count = Math.Min(Most, await FileLimitAsync() - FilesForOthers);
        using var sample = Start();
        try
        {
            var (port, log) = await ListenAsync(sample);
            var streams = new StreamOnSocket[count];
            await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Stop },
                async (i, _) => streams[i] = await StreamOnSocket.OpenAsync(port));

            var started = Stopwatch.GetTimestamp();
            using var kill = Process.Start("kill", ["-TERM", $"{sample.Id}"]);
            var ends = await Task.WhenAll(streams.Select(stream => stream.ReadToEndAsync())).Soon();
            await sample.WaitForExitAsync(Stop).Soon();
            var took = Stopwatch.GetElapsedTime(started);
            output.WriteLine($"{count} streams; the program ended {took.TotalMilliseconds:0} ms after the signal.");

            var retries = ends.Select(end => Farewell().Match(end)).ToList();
            Assert.All(retries, (match, i) => Assert.True(match.Success, ends[i]));
            var times = retries.Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).ToList();
            Assert.All(times, time => Assert.InRange(time, 20_000, 3_620_000));
            Assert.True(times.Distinct().Count() >= 0.9 * count, $"{times.Distinct().Count()} of {count} times differ.");
            Assert.Equal(0, sample.ExitCode);
            Assert.True(took < TimeSpan.FromSeconds(25), "The host waited for its ShutdownTimeout.");
            Assert.DoesNotMatch(Trouble(), await log);
        }
        finally
        {
            sample.Kill();
        }
    }

    private static Process Start()
    {
        var configuration = typeof(StopSignalTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var folder = Path.Combine(Sources.Root, "samples", "Operations");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(folder, "bin", configuration, "net10.0", "Operations.dll"), "--urls", "http://127.0.0.1:0"])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
        };
        start.Environment["Sse__ReconnectDelay"] = "00:00:20";
        start.Environment["Sse__ReconnectSpread"] = "01:00:00";

        // Kestrel tells of connections that did not end well for debugging only.
        start.Environment["Logging__LogLevel__Microsoft.AspNetCore.Server.Kestrel"] = "Debug";
        return Process.Start(start)!;
    }

    private static async Task<(int Port, Task<string> Log)> ListenAsync(Process sample)
    {
        while (await sample.StandardOutput.ReadLineAsync(Stop) is { } line)
        {
            if (Listening().Match(line) is { Success: true } match)
            {
                return (int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), sample.StandardOutput.ReadToEndAsync(Stop));
            }
        }

        throw new InvalidOperationException("The sample ended before it listened.");
    }

    private static async Task<int> FileLimitAsync()
    {
        using var shell = Process.Start(new ProcessStartInfo("sh", ["-c", "ulimit -n"]) { RedirectStandardOutput = true })!;
        return int.TryParse(await shell.StandardOutput.ReadToEndAsync(Stop), CultureInfo.InvariantCulture, out var limit) ? limit : int.MaxValue;
    }

    [GeneratedRegex(@"\r\nretry: ([0-9]+)\n\r\n0\r\n\r\n\z")]
    private static partial Regex Farewell();

    [GeneratedRegex("abort|reset|gracefully during|warn:|fail:|crit:", RegexOptions.IgnoreCase)]
    private static partial Regex Trouble();

    [GeneratedRegex(@"Now listening on: http://127\.0\.0\.1:([0-9]+)")]
    private static partial Regex Listening();

    /// <summary>A client that costs little.</summary>
    private sealed class StreamOnSocket(Socket socket)
    {
        private readonly StringBuilder _arrived = new();
        private readonly byte[] _buffer = new byte[512];

        public static async Task<StreamOnSocket> OpenAsync(int port)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), Stop);
            await socket.SendAsync("GET /orders/live HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), Stop);
            var stream = new StreamOnSocket(socket);

            // It opens with the usual time to come back after, and with its position.
            while (!stream._arrived.ToString().Contains("\n\n\r\n", StringComparison.Ordinal))
            {
                Assert.True(await stream.ReadAsync(), $"A stream ended before it began: {stream._arrived}");
            }

            return stream;
        }

        public async Task<string> ReadToEndAsync()
        {
            using (socket)
            {
                while (await ReadAsync())
                {
                }
            }

            return _arrived.ToString();
        }

        private async Task<bool> ReadAsync()
        {
            var count = await socket.ReceiveAsync(_buffer, Stop);
            _arrived.Append(Encoding.ASCII.GetString(_buffer, 0, count));
            return count > 0;
        }
    }
}
