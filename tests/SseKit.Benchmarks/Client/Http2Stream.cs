using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace SseKit.Benchmarks.Client;

/// <summary>One GET over HTTP/2 without TLS, with windows so large that flow control is never met (RFC 9113).</summary>
internal sealed class Http2Stream : IDisposable
{
    private const int LargestWindow = int.MaxValue;
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[256 * 1024];
    private readonly long _started;
    private int _from;
    private int _to;

    public Http2Stream(int port, string path)
    {
        _socket.Connect("127.0.0.1", port);
        var settings = new byte[6];
        BinaryPrimitives.WriteUInt16BigEndian(settings, 4);
        BinaryPrimitives.WriteInt32BigEndian(settings.AsSpan(2), LargestWindow);
        var window = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(window, LargestWindow - 65_535);

        // HPACK: ":method GET" and ":scheme http" are of the static table, the path and the authority are literals.
        byte[] headers = [0x82, 0x86, 0x04, .. Literal(path), 0x01, .. Literal("localhost")];
        _socket.Send((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(4, 0, 0, settings), .. Frame(8, 0, 0, window), .. Frame(1, 5, 1, headers)]);
        _started = Stopwatch.GetTimestamp();
    }

    /// <summary>Reads this many events, or to the end where there are none, and tells the seconds that it took.</summary>
    public double Read(BodyCheck check, long events)
    {
        while (true)
        {
            var head = Take(9);
            var length = (head[0] << 16) | (head[1] << 8) | head[2];
            var (type, flags) = (head[3], head[4]);
            if (type == 0)
            {
                for (var left = length; left > 0;)
                {
                    var part = Take(Math.Min(left, Math.Max(1, _to - _from)));
                    check.Take(part);
                    left -= part.Length;
                }
            }
            else
            {
                Take(length);
            }

            if (type == 4 && (flags & 1) == 0)
            {
                _socket.Send(Frame(4, 1, 0, []));
            }

            if (type is 3 or 7)
            {
                throw new IOException("The server reset the stream.");
            }

            if (check.Fault is { } fault)
            {
                throw new IOException(fault);
            }

            var ended = type is 0 or 1 && (flags & 1) != 0;
            if (events > 0 ? check.Events >= events : ended)
            {
                return Stopwatch.GetElapsedTime(_started).TotalSeconds;
            }

            if (ended)
            {
                throw new IOException($"The stream ended after {check.Events} of {events} events.");
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        byte[] head = [(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags, 0, 0, 0, (byte)stream];
        return [.. head, .. payload];
    }

    private static byte[] Literal(string text) => text.Length < 127 ? [(byte)text.Length, .. Encoding.ASCII.GetBytes(text)] : throw new ArgumentException(text);

    private ReadOnlySpan<byte> Take(int count)
    {
        while (_to - _from < count)
        {
            _buffer.AsSpan(_from, _to - _from).CopyTo(_buffer);
            (_from, _to) = (0, _to - _from);
            var read = _socket.Receive(_buffer.AsSpan(_to));
            if (read == 0)
            {
                throw new IOException("The server closed the connection.");
            }

            _to += read;
        }

        var taken = _buffer.AsSpan(_from, count);
        _from += count;
        return taken;
    }
}
