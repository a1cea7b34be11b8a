using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using SseKit.Tests.Tools;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A redis-server of the tests' own, on a free loopback port, in a folder of its own. Killed, paused and restarted at will.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private readonly string[] _arguments;
    private readonly string _program;
    private readonly bool _sentinel;
    private readonly string _folder = Directory.CreateTempSubdirectory("ssekit-redis-").FullName;
    private Process? _process;

    private RedisServer(string program, bool sentinel, string[] arguments)
    {
        (_program, _sentinel) = (program, sentinel);
        _arguments = sentinel ? [Path.Combine(_folder, "sentinel.conf"), "--sentinel"] : ["--save", "", .. arguments];
        if (sentinel)
        {
            // It keeps there what it learns.
            File.Create(_arguments[0]).Dispose();
        }
    }

    public int Port { get; private set; }

    public string Address => $"127.0.0.1:{Port}";

    public static Task<RedisServer> StartAsync(params string[] arguments) => StartAsync(sentinel: false, arguments);

    /// <summary>One that watches over others and tells where the primary is.</summary>
    public static Task<RedisServer> StartSentinelAsync() => StartAsync(sentinel: true);

    private static async Task<RedisServer> StartAsync(bool sentinel, params string[] arguments)
    {
        var program = TestTool.Require("redis-server", "SSEKIT_REDIS_SERVER", "Debian and Ubuntu: apt-get install redis-server. Else https://redis.io/docs/latest/operate/oss_and_stack/install/.");
        var server = new RedisServer(program, sentinel, arguments);
        for (var attempt = 1; ; attempt++)
        {
            server.Port = FreePort();
            try
            {
                await server.RunAsync();
                return server;
            }
            catch (InvalidOperationException) when (attempt < 5)
            {
                // Somebody else took the port in between.
            }
        }
    }

    /// <summary>Starts it again on the same port; with what it had on disk, if it keeps anything there.</summary>
    public async Task RunAsync()
    {
        var start = new ProcessStartInfo(_program, [.. _arguments, "--port", $"{Port}", "--dir", _folder, .. _arguments.Contains("--bind") ? (string[])[] : ["--bind", "127.0.0.1"]])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var ready = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null || line.Data.Contains("eady to accept connections", StringComparison.Ordinal) || line.Data.Contains("Sentinel ID is", StringComparison.Ordinal))
            {
                ready.TrySetResult(line.Data is not null);
            }
        };
        process.Start();
        _process = process;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!await ready.Task.WaitAsync(Guard))
        {
            throw new InvalidOperationException("redis-server ended at once.");
        }
    }

    /// <summary>The end without a farewell: what was not on disk is lost.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>Takes from it, while it does not run, what it has on disk.</summary>
    public void Wipe()
    {
        Directory.Delete(_folder, recursive: true);
        Directory.CreateDirectory(_folder);
    }

    /// <summary>Stopped in its tracks, with its connections open.</summary>
    public async Task PauseAsync() => await Signals.SendAsync(_process!, "-STOP");

    public async Task ResumeAsync() => await Signals.SendAsync(_process!, "-CONT");

    public async Task<RedisResult> ExecuteAsync(string command, params object[] arguments)
    {
        await using var connection = await ConnectAsync();

        // Not wherever a cluster or a sentinel leads to.
        return await connection.GetServer(Address).ExecuteAsync(command, arguments);
    }

    public async Task<ConnectionMultiplexer> ConnectAsync() =>
        _sentinel ? await ConnectionMultiplexer.SentinelConnectAsync($"{Address},allowAdmin=true") : await ConnectionMultiplexer.ConnectAsync($"{Address},allowAdmin=true");

    /// <summary>How often a command was called since the last reset, by whomever.</summary>
    public async Task<long> CallsAsync(string command)
    {
        var info = (string)(await ExecuteAsync("INFO", "commandstats"))!;
        var line = info.Split('\n').FirstOrDefault(line => line.StartsWith($"cmdstat_{command}:calls=", StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line.Split('=', ',')[1], System.Globalization.CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await ResumeAsync();
            await KillAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    internal static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

/// <summary>One server for the tests of a class, which keep out of each other's way by their key prefixes.</summary>
public sealed class SharedRedis : IAsyncLifetime
{
    public RedisServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await RedisServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        // Null where there is no redis-server and the tests were skipped for it.
        if (Server is not null)
        {
            await Server.DisposeAsync();
        }
    }
}
