using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A node as a process of its own, which can be killed, paused and started again at the same address.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);

    private readonly string[] _command;
    private Process? _process;

    private NodeProcess(string address, string redis, string[] within)
    {
        Address = address;
        _command = [.. within, "dotnet", Program(), address, redis];
    }

    public string Address { get; }

    public bool IsRunning => _process is not null;

    /// <param name="redis">Where Redis is.</param>
    /// <param name="ip">The address that it listens on.</param>
    /// <param name="within">The command that runs it, such as one that leads into a network namespace.</param>
    public static async Task<NodeProcess> StartAsync(string redis, string ip = "127.0.0.1", params string[] within)
    {
        for (var attempt = 1; ; attempt++)
        {
            var node = new NodeProcess($"http://{ip}:{RedisServer.FreePort()}", redis, within);
            try
            {
                await node.StartAsync();
                return node;
            }
            catch (InvalidOperationException) when (attempt < 5)
            {
                // Somebody else took the port in between.
                await node.DisposeAsync();
            }
        }
    }

    public async Task StartAsync()
    {
        var process = Process.Start(new ProcessStartInfo(_command[0], _command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var line = await process.StandardOutput.ReadLineAsync().WaitAsync(Guard);
        _process = process;
        if (line != "ready")
        {
            throw new InvalidOperationException($"The node ended at once: {string.Join(' ', _command)}");
        }
    }

    /// <summary>As a crash does.</summary>
    public async Task KillAsync()
    {
        var process = _process!;
        _process = null;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    public async Task PauseAsync() => await Signals.SendAsync(_process!, "-STOP");

    public async Task ResumeAsync() => await Signals.SendAsync(_process!, "-CONT");

    /// <summary>Publishes at this node; what became of it is unknown where it was sent and no answer came.</summary>
    public async Task<string> PublishAsync(int number)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            // In a body, because HttpClient may send a request again that has none.
            using var response = await EventClient.Http.PostAsJsonAsync($"{Address}/publish", number, patience.Token);
            response.EnsureSuccessStatusCode();
            return await response.Content.ReadAsStringAsync(patience.Token);
        }
        catch (HttpRequestException exception) when (exception.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused })
        {
            return "refused";
        }
        catch (Exception exception) when (exception is OperationCanceledException or HttpRequestException { StatusCode: null } or IOException)
        {
            return "unknown";
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }
    }

    private static string Program([CallerFilePath] string path = "")
    {
        var configuration = typeof(NodeProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "Configuration").Value!;
        const string Name = "SseKit.StackExchangeRedis.Node";
        return Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", Name, "bin", configuration, "net10.0", $"{Name}.dll"));
    }
}
