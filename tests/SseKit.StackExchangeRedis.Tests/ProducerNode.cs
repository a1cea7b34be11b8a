using System.Diagnostics;
using System.Net.ServerSentEvents;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A node with producers as a process of its own.</summary>
internal sealed class ProducerNode : IDisposable
{
    private static readonly HttpClient Http = new() { Timeout = Timeout.InfiniteTimeSpan };

    private readonly Process _process;
    private readonly string _address;

    private ProducerNode(Process process, string address) => (_process, _address) = (process, address);

    public static async Task<ProducerNode> StartAsync(string redis)
    {
        var process = Process.Start(new ProcessStartInfo("dotnet", [Program(), redis]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        return new ProducerNode(process, await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The node ended at once."));
    }

    /// <summary>The events of a producer, to their end or to that of the node.</summary>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(string path, string? lastEventId, [EnumeratorCancellation] CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{_address}/{path}");
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        using var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
        await using var body = await response.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(stop);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(stop))
        {
            yield return item;
        }
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [signal, $"{_process.Id}"]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }

    public void Dispose()
    {
        _process.Kill();
        _process.Dispose();
    }

    private static string Program([CallerFilePath] string path = "")
    {
        var configuration = typeof(ProducerNode).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "Configuration").Value!;
        const string Name = "SseKit.StackExchangeRedis.ProducerNode";
        return Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", Name, "bin", configuration, "net10.0", $"{Name}.dll"));
    }
}
