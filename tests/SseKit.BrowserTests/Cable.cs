using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace SseKit.BrowserTests;

/// <summary>What is between a browser and a server on this machine. Cutting it breaks the connections that run through it.</summary>
internal sealed class Cable : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, bool> _ends = new();
    private readonly int _port;
    private readonly Task _accepting;

    public Cable(string url)
    {
        _port = new Uri(url).Port;
        _listener.Start();
        Url = $"http://{_listener.LocalEndpoint}";
        _accepting = AcceptAsync();
    }

    public string Url { get; }

    public void Cut()
    {
        foreach (var end in _ends.Keys)
        {
            end.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        Cut();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = CarryAsync(await _listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task CarryAsync(TcpClient browser)
    {
        using var server = new TcpClient();
        using (browser)
        {
            _ends[browser] = _ends[server] = true;
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _port);
                await Task.WhenAny(browser.GetStream().CopyToAsync(server.GetStream()), server.GetStream().CopyToAsync(browser.GetStream()));
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                // Cut before it was connected.
            }
            finally
            {
                _ends.TryRemove(browser, out _);
                _ends.TryRemove(server, out _);
            }
        }
    }
}
