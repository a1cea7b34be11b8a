using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Yarp.ReverseProxy.Forwarder;

/// <summary>What stands around the app in real life: it starts Redis and the nodes, counts, and is the proxy that users see.</summary>
internal sealed class Launcher(string redis) : IDisposable
{
    private static readonly TimeSpan Down = TimeSpan.FromSeconds(10);

    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false });
    private readonly SemaphoreSlim _counting = new(1);
    private readonly Node[] _nodes = [new("A", FreePort()), new("B", FreePort())];
    private uint _turn;

    public static async Task RunAsync(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddHttpForwarder();
        var given = builder.Configuration["redis"];
        var port = FreePort();
        using var own = given is null ? StartRedis(port) : null;
        using var launcher = new Launcher(given ?? $"127.0.0.1:{port}");
        try
        {
            await using var app = builder.Build();
            app.UseFileServer();
            app.Map("/numbers/live", launcher.ForwardAsync);
            app.MapPost("/kill/{name}", launcher.KillAsync);
            launcher.Start();
            _ = launcher.CountAsync(app.Lifetime.ApplicationStopping);
            await app.RunAsync();
        }
        finally
        {
            own?.Kill();
        }
    }

    public void Dispose()
    {
        foreach (var node in _nodes)
        {
            node.Kill();
        }

        _client.Dispose();
        _counting.Dispose();
    }

    private void Start()
    {
        foreach (var node in _nodes)
        {
            node.Start(redis);
        }
    }

    private async Task ForwardAsync(HttpContext context, IHttpForwarder forwarder)
    {
        for (var tries = 0; tries < _nodes.Length; tries++)
        {
            var node = _nodes[Interlocked.Increment(ref _turn) % _nodes.Length];
            var error = await forwarder.SendAsync(context, node.Address, _client);
            if (context.Response.HasStarted || error != ForwarderError.Request)
            {
                return;
            }

            context.Response.Clear();
        }

        // No node is there, and an error status would end the page's EventSource for good.
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync("retry: 1000\n");
    }

    private async Task<IResult> KillAsync(string name)
    {
        if (_nodes.FirstOrDefault(node => node.Name == name) is not { } node)
        {
            return Results.NotFound();
        }

        // Not while a number is on its way through it: whether that one was published could not be told.
        await _counting.WaitAsync();
        node.Kill();
        _counting.Release();
        _ = RestartAsync(node);
        return Results.NoContent();
    }

    private async Task RestartAsync(Node node)
    {
        await Task.Delay(Down);
        node.Start(redis);
    }

    private async Task CountAsync(CancellationToken stop)
    {
        using var client = new HttpClient();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        for (var number = 1L; await timer.WaitForNextTickAsync(stop);)
        {
            // By turns, and by the other one where one is down: its port refuses, so nothing was published.
            await _counting.WaitAsync(stop);
            try
            {
                using var response = await client.PostAsync($"{_nodes[number % 2].Address}/numbers/{number}", null, stop);
                number += response.IsSuccessStatusCode ? 1 : 0;
            }
            catch (HttpRequestException)
            {
                try
                {
                    using var response = await client.PostAsync($"{_nodes[(number + 1) % 2].Address}/numbers/{number}", null, stop);
                    number += response.IsSuccessStatusCode ? 1 : 0;
                }
                catch (HttpRequestException)
                {
                    // None is up yet.
                }
            }
            finally
            {
                _counting.Release();
            }
        }
    }

    private static Process StartRedis(int port)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("redis-server", ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]))!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new InvalidOperationException("There is no redis-server on the PATH. Install it, or name a Redis that is there: --redis localhost:6379.");
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private sealed class Node(string name, int port)
    {
        private Process? _process;

        public string Name => name;

        public string Address { get; } = $"http://127.0.0.1:{port}";

        public void Start(string redis)
        {
            var start = new ProcessStartInfo(Environment.ProcessPath!);

            // Run by `dotnet TwoNodes.dll`, the program is dotnet itself.
            if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            {
                start.ArgumentList.Add(typeof(Launcher).Assembly.Location);
            }

            foreach (var argument in new[] { "node", name, redis, "--urls", Address })
            {
                start.ArgumentList.Add(argument);
            }

            _process = Process.Start(start);
        }

        public void Kill()
        {
            if (_process is { HasExited: false })
            {
                _process.Kill();
                _process.WaitForExit();
            }
        }
    }
}
