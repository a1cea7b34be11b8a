using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using SseKit.Tests.Tools;

namespace SseKit.Tests.Wire;

/// <summary>npm's eventsource-parser, in a Node of its own that answers one case after the other.</summary>
internal sealed class NpmParser(Process node) : IAsyncDisposable
{
    public static NpmParser Start([CallerFilePath] string here = "")
    {
        var folder = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "conformance"));
        var program = TestTool.Require("node", "SSEKIT_NODE", "Install Node 18 or newer: https://nodejs.org.");
        TestTool.RequireFile(Path.Combine(folder, "node_modules"), "Run: npm ci --prefix tests/conformance");
        var start = new ProcessStartInfo(program, [Path.Combine(folder, "parse.mjs")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardOutputEncoding = System.Text.Encoding.UTF8,
        };
        return new NpmParser(Process.Start(start)!);
    }

    public Answer Parse(byte[] bytes, int[] chunks)
    {
        node.StandardInput.Write(JsonSerializer.Serialize(new { bytes, chunks }) + "\n");
        node.StandardInput.Flush();
        return JsonSerializer.Deserialize<Answer>(node.StandardOutput.ReadLine() ?? throw new EndOfStreamException("The parser ended."), JsonSerializerOptions.Web)!;
    }

    public async ValueTask DisposeAsync()
    {
        // It ends by itself when there are no more cases.
        node.StandardInput.Close();
        await node.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        node.Dispose();
    }

    internal sealed record Event(string Data, string? Type, string? Id);

    internal sealed record Answer(Event[] Events, double[] Retries, string[] Comments, string[] Errors);
}
