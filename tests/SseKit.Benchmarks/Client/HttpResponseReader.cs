using System.Buffers.Text;
using System.Diagnostics;

namespace SseKit.Benchmarks.Client;

/// <summary>As much of HTTP/1.1 as a streamed response needs, in pieces of any size.</summary>
internal sealed class HttpResponseReader(BodyCheck body)
{
    private enum Part
    {
        Headers,
        ChunkSize,
        Chunk,
        ChunkEnd,
        Done,
    }

    private readonly byte[] _line = new byte[24];
    private Part _part;
    private int _lineLength;
    private byte[] _headers = [];
    private long _left;

    public BodyCheck Body => body;

    /// <summary>When the headers were complete; zero before.</summary>
    public long HeadersAt { get; private set; }

    /// <summary>Whether the response has ended as it should.</summary>
    public bool Done => _part == Part.Done;

    public void Take(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && _part != Part.Done)
        {
            switch (_part)
            {
                case Part.Headers:
                    bytes = TakeHeaders(bytes);
                    break;
                case Part.ChunkSize:
                    bytes = TakeChunkSize(bytes);
                    break;
                case Part.Chunk:
                    var length = (int)Math.Min(_left, bytes.Length);
                    body.Take(bytes[..length]);
                    _left -= length;
                    bytes = bytes[length..];
                    if (_left == 0)
                    {
                        (_part, _left) = (Part.ChunkEnd, 2);
                    }

                    break;
                case Part.ChunkEnd:
                    var skipped = (int)Math.Min(_left, bytes.Length);
                    _left -= skipped;
                    bytes = bytes[skipped..];
                    _part = _left == 0 ? Part.ChunkSize : Part.ChunkEnd;
                    break;
            }
        }
    }

    private ReadOnlySpan<byte> TakeHeaders(ReadOnlySpan<byte> bytes)
    {
        var seen = _headers.Length;
        _headers = [.. _headers, .. bytes];
        var end = _headers.AsSpan().IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return default;
        }

        HeadersAt = Stopwatch.GetTimestamp();
        if (!_headers.AsSpan().StartsWith("HTTP/1.1 200"u8))
        {
            throw new IOException($"The status is not 200: {System.Text.Encoding.ASCII.GetString(_headers, 0, end)}");
        }

        // nchan sends no chunks: its body ends with the connection.
        var chunked = _headers.AsSpan(0, end).IndexOf("Transfer-Encoding: chunked"u8) >= 0;
        (_part, _left) = chunked ? (Part.ChunkSize, 0) : (Part.Chunk, long.MaxValue);
        _headers = [];
        return bytes[(end + 4 - seen)..];
    }

    private ReadOnlySpan<byte> TakeChunkSize(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)'\n');
        var part = end < 0 ? bytes : bytes[..end];
        if (_lineLength + part.Length > _line.Length)
        {
            throw new IOException("The response is not chunked.");
        }

        part.CopyTo(_line.AsSpan(_lineLength));
        _lineLength += part.Length;
        if (end < 0)
        {
            return default;
        }

        if (!Utf8Parser.TryParse(_line.AsSpan(0, _lineLength), out int size, out _, 'x'))
        {
            throw new IOException("The response is not chunked.");
        }

        (_part, _left, _lineLength) = (size == 0 ? Part.Done : Part.Chunk, size, 0);
        return bytes[(end + 1)..];
    }
}
