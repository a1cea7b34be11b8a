using System.Diagnostics;
using System.Net.NetworkInformation;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace SseKit.BrowserTests;

/// <summary>A sample, run as a program of its own; it can be killed and started again at the same address.</summary>
internal sealed class SampleServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly StringBuilder _output = new();
    private readonly string _name;
    private readonly string[] _arguments;
    private Process? _process;

    private SampleServer(string name, string[] arguments) => (_name, _arguments) = (name, arguments);

    public string Url { get; private set; } = "";

    public static async Task<SampleServer> StartAsync(string name, params string[] arguments)
    {
        // Below the ports that systems hand out by themselves: none of those is to be given away between a kill and the next start.
        for (var attempt = 0; ; attempt++)
        {
            var server = new SampleServer(name, arguments) { Url = $"http://127.0.0.1:{FreePort()}" };
            try
            {
                await server.StartAsync();
                return server;
            }
            catch (InvalidOperationException) when (attempt < 5)
            {
                // Somebody took the port first.
                await server.KillAsync();
            }
        }
    }

    public async Task StartAsync()
    {
        var folder = Path.Combine(Repository(), "samples", _name);
        var configuration = typeof(SampleServer).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var start = new ProcessStartInfo("dotnet", [Path.Combine(folder, "bin", configuration, "net10.0", $"{_name}.dll"), "--urls", Url, .. _arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var listening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        process.OutputDataReceived += (_, line) => Note(line.Data, listening);
        process.ErrorDataReceived += (_, line) => Note(line.Data, listening);
        process.Exited += (_, _) => listening.TrySetException(new InvalidOperationException($"{_name} ended before it was listening."));
        process.Start();
        _process = process;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await listening.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{_name} is not listening. It said:\n{Output()}");
        }
    }

    /// <summary>Ends the program as a crash does.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience, CancellationToken.None);
            process.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        TestContext.Current.TestOutputHelper?.WriteLine(Output());
    }

    private static int FreePort()
    {
        var taken = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(endpoint => endpoint.Port).ToHashSet();
        int port;
        do
        {
            port = Random.Shared.Next(20_000, 30_000);
        }
        while (taken.Contains(port));

        return port;
    }

    private static string Repository([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", ".."));

    private void Note(string? line, TaskCompletionSource listening)
    {
        lock (_output)
        {
            _output.Append(line).Append('\n');
        }

        if (line?.Contains("Now listening on", StringComparison.Ordinal) == true)
        {
            listening.TrySetResult();
        }
    }

    private string Output()
    {
        lock (_output)
        {
            return _output.ToString();
        }
    }
}
