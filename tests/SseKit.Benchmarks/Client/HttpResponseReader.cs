using System.Buffers.Text;
using System.Diagnostics;

namespace SseKit.Benchmarks.Client;

/// <summary>As much of HTTP/1.1 as a chunked response needs, in pieces of any size.</summary>
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
    private int _headerEnd;
    private long _left;
    private bool _afterFirstLine;

    public BodyCheck Body => body;

    /// <summary>When the headers were complete; zero before.</summary>
    public long HeadersAt { get; private set; }

    /// <summary>Whether the response has ended as it should.</summary>
    public bool Done => _part == Part.Done;

    public string? Fault { get; private set; }

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
        for (var i = 0; i < bytes.Length; i++)
        {
            if (!_afterFirstLine)
            {
                if (_lineLength < 15)
                {
                    _line[_lineLength++] = bytes[i];
                }

                _afterFirstLine = bytes[i] == '\n';
                if (_afterFirstLine && !_line.AsSpan().StartsWith("HTTP/1.1 200"u8))
                {
                    Fault ??= "The status is not 200.";
                }
            }

            // The blank line: CR LF CR LF.
            _headerEnd = bytes[i] == (_headerEnd % 2 == 0 ? '\r' : '\n') ? _headerEnd + 1 : bytes[i] == '\r' ? 1 : 0;
            if (_headerEnd == 4)
            {
                HeadersAt = Stopwatch.GetTimestamp();
                (_part, _lineLength) = (Part.ChunkSize, 0);
                return bytes[(i + 1)..];
            }
        }

        return default;
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
