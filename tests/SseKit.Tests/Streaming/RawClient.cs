using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SseKit.Tests.Streaming;

/// <summary>A client that is nothing but a socket, for what HTTP libraries do not let one do.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly StringBuilder _arrived = new();

    private RawClient(Socket socket) => _socket = socket;

    /// <summary>How many bytes have arrived and were not read.</summary>
    public int Available => _socket.Available;

    public static async Task<RawClient> ConnectAsync(int port, int? receiveBuffer = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer is { } size)
        {
            socket.ReceiveBufferSize = size;
        }

        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port)).Soon();
        return new RawClient(socket);
    }

    public async Task SendAsync(string text) => await _socket.SendAsync(Encoding.Latin1.GetBytes(text)).Soon();

    public Task GetAsync(string path, string headers = "") => SendAsync($"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");

    /// <summary>What follows the last read, up to <paramref name="end"/>, or to the end of the connection where that is null.</summary>
    public async Task<string> ReadToAsync(string? end)
    {
        while (true)
        {
            var at = end is null ? -1 : _arrived.ToString().IndexOf(end, StringComparison.Ordinal);
            if (at >= 0)
            {
                return Take(at + end!.Length);
            }

            // A large body is looked through only now and then.
            var count = 0;
            for (var more = true; more; more = _arrived.Length > 1024 * 1024 && _socket.Available > 0)
            {
                count = await _socket.ReceiveAsync(_buffer).Soon($"'{end}', after {_arrived.Length} characters");
                _arrived.Append(Encoding.Latin1.GetString(_buffer, 0, count));
            }

            if (count == 0)
            {
                Assert.True(end is null, $"The connection ended before '{end}', after '{_arrived}'.");
                return Take(_arrived.Length);
            }
        }
    }

    /// <summary>Says that it will send no more, as a client does that closes in good order.</summary>
    public void Finish() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Vanishes with a reset.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();

    private string Take(int length)
    {
        var text = _arrived.ToString(0, length);
        _arrived.Remove(0, length);
        return text;
    }
}

/// <summary>The chunked transfer coding of HTTP/1.1, read by hand.</summary>
internal static class Chunks
{
    /// <summary>The content of a body that ends with the last chunk; anything else fails.</summary>
    public static string Join(string body)
    {
        var content = new StringBuilder();
        for (var at = 0; ;)
        {
            var end = body.IndexOf("\r\n", at, StringComparison.Ordinal);
            var length = int.Parse(body.AsSpan(at, end - at), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            content.Append(body, end + 2, length);
            at = end + 2 + length + 2;
            Assert.Equal("\r\n", body[(at - 2)..at]);
            if (length == 0)
            {
                Assert.Equal(body.Length, at);
                return content.ToString();
            }
        }
    }
}
