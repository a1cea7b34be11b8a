using System.Runtime.CompilerServices;

namespace SseKit.Benchmarks.Macro;

/// <summary>better-sse from npm: <c>npm ci --prefix tests/SseKit.Benchmarks/peers</c>.</summary>
internal static class BetterSse
{
    private static readonly string Peers = Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "peers");

    public static bool IsInstalled => Tools.Find("node") is not null && Directory.Exists(Path.Combine(Peers, "node_modules", "better-sse"));

    public static PeerProcess Start(int keepAlive = 15) => new(
        Tools.Find("node")!, "--expose-gc", Path.Combine(AppContext.BaseDirectory, "peers", "better-sse.mjs"), Path.GetFullPath(Peers), $"{keepAlive}");

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
