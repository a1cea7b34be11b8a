using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SseKit.Benchmarks.Server;

/// <summary>
/// What the kernel alone takes: one loop that sends bytes which are encoded already, chunk and all, to sockets without a server around them.
/// </summary>
internal sealed class SocketHub
{
    private readonly Lock _gate = new();
    private readonly List<Socket> _subscribers = [];

    public SocketHub()
    {
        var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        _ = AcceptAsync(listener);
    }

    public int Port { get; }

    public void Publish(IEnumerable<string> texts)
    {
        var body = string.Concat(texts.Select(text => $"data: {text}\n\n"));
        var chunk = Encoding.ASCII.GetBytes($"{body.Length:x}\r\n{body}\r\n");
        lock (_gate)
        {
            foreach (var subscriber in _subscribers)
            {
                subscriber.Send(chunk);
            }
        }
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        while (true)
        {
            _ = ServeAsync(await listener.AcceptSocketAsync());
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        var request = new byte[512];
        socket.NoDelay = true;
        await socket.ReceiveAsync(request);
        await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray());
        lock (_gate)
        {
            _subscribers.Add(socket);
        }

        try
        {
            // The client sends nothing more: what comes is its end.
            await socket.ReceiveAsync(request);
        }
        catch (SocketException)
        {
        }

        lock (_gate)
        {
            _subscribers.Remove(socket);
        }

        socket.Dispose();
    }
}
