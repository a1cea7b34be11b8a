namespace SseKit.Wire;

/// <summary>
/// Follows an event stream that somebody else writes, in chunks of any size, and tells whether it stands between two events: only there may a
/// comment be put in. Lines end with CR, LF or CRLF (WHATWG HTML 9.2.5). Comments and <c>retry:</c> lines outside an event begin none, nor does
/// the byte order mark that may open the stream.
/// </summary>
internal struct EventBoundary
{
    public static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    private static ReadOnlySpan<byte> Retry => "retry:"u8;

    private bool _inEvent;
    private bool _afterCr;
    private int _lineLength;
    private bool _comment;
    private int _retryLength;
    private int _markLength;
    private bool _markPassed;

    /// <summary>Whether nothing is begun: no line, and no event.</summary>
    public readonly bool IsHere => !_inEvent && _lineLength == 0;

    /// <summary>Whether a line feed that comes next belongs to a line end that has been seen.</summary>
    public readonly bool IsAfterCarriageReturn => _afterCr;

    public void Pass(ReadOnlySpan<byte> bytes)
    {
        if (!_markPassed)
        {
            bytes = PassMark(bytes);
        }

        while (!bytes.IsEmpty)
        {
            if (_afterCr)
            {
                _afterCr = false;
                if (bytes[0] == (byte)'\n')
                {
                    bytes = bytes[1..];
                    continue;
                }
            }

            var end = bytes.IndexOfAny((byte)'\r', (byte)'\n');
            PassWithinLine(end < 0 ? bytes : bytes[..end]);
            if (end < 0)
            {
                return;
            }

            EndLine();
            _afterCr = bytes[end] == (byte)'\r';
            bytes = bytes[(end + 1)..];
        }
    }

    private ReadOnlySpan<byte> PassMark(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && !_markPassed)
        {
            if (bytes[0] != ByteOrderMark[_markLength])
            {
                _markPassed = true;
                break;
            }

            // A line until it is known to be the mark.
            _lineLength = ++_markLength;
            bytes = bytes[1..];
            if (_markLength == ByteOrderMark.Length)
            {
                _lineLength = 0;
                _markPassed = true;
            }
        }

        return bytes;
    }

    private void PassWithinLine(ReadOnlySpan<byte> bytes)
    {
        if (_lineLength == 0 && !bytes.IsEmpty)
        {
            _comment = bytes[0] == (byte)':';
        }

        for (var i = 0; i < bytes.Length && _retryLength == _lineLength + i && _retryLength < Retry.Length && bytes[i] == Retry[_retryLength]; i++)
        {
            _retryLength++;
        }

        _lineLength = (int)Math.Min((long)_lineLength + bytes.Length, int.MaxValue);
    }

    private void EndLine()
    {
        _inEvent = _lineLength > 0 && (_inEvent || (!_comment && _retryLength < Retry.Length));
        _lineLength = 0;
        _retryLength = 0;
        _comment = false;
    }
}
