using System.Diagnostics;
using System.Text.Json;
using SseKit.Tests.Tools;

namespace SseKit.ClientTests;

/// <summary>All streams through the clients that run in Node, in one process.</summary>
internal static class NodeRun
{
    public const string Install = "Run: npm ci --prefix tests/SseKit.ClientTests/clients";

    public static async Task RunAsync(string address, string clientFolder, Action<Seen> report, CancellationToken stop)
    {
        var node = TestTool.Require("node", "SSEKIT_NODE", "Install Node 20.18.1 or newer: https://nodejs.org, or apt-get install nodejs.");
        TestTool.RequireFile(Path.Combine(clientFolder, "node_modules"), Install);
        var start = new ProcessStartInfo(node, ["--no-warnings", Path.Combine(clientFolder, "node.mjs"), address, .. Names()])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(stop);
            while (await process.StandardOutput.ReadLineAsync(stop) is { } line)
            {
                report(JsonSerializer.Deserialize<Seen>(line, JsonSerializerOptions.Web)!);
            }

            await process.WaitForExitAsync(stop);
            Assert.True(process.ExitCode == 0, $"node.mjs ended with {process.ExitCode}:\n{await errors}");
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    // A stream for one client only is written "own/x=client".
    private static IEnumerable<string> Names() =>
        Streams.All().Where(stream => stream.Source.OnlyFor is null || Clients.InNode.Contains(stream.Source.OnlyFor))
            .Select(stream => stream.Source.OnlyFor is { } only ? $"{stream}={only}" : stream.ToString());
}
