using System.Buffers;
using System.Globalization;
using System.Text;

namespace SseKit.Testing;

/// <summary>
/// Reads the bytes of one response, however they are cut up. Its own and not the framework's <c>SseParser</c>, which shows neither comments
/// nor blocks without data, and takes an id at its line where a browser takes it at the end of the block.
/// </summary>
/// <remarks>WHATWG HTML, section 9.2.6: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation</remarks>
internal sealed class StreamParser(string lastEventId, Action<SseTestItem> found)
{
    private readonly ArrayBufferWriter<byte> _line = new();
    private readonly StringBuilder _data = new();
    private bool _afterFirstLine;
    private bool _afterCr;
    private bool _hasFields;
    private bool _hasData;
    private string _type = "";
    private string? _id;
    private TimeSpan? _retry;

    /// <summary>
    /// What a client would resume from; empty where there is nothing. Browsers keep it over reconnects, though by the letter each stream
    /// begins with an empty one.
    /// </summary>
    public string LastEventId { get; private set; } = lastEventId;

    /// <summary>The newest <c>retry:</c>, which counts from its line on; null where there was none.</summary>
    public TimeSpan? ReconnectionInterval { get; private set; }

    public void Feed(ReadOnlySpan<byte> bytes)
    {
        if (_afterCr && bytes is [(byte)'\n', ..])
        {
            bytes = bytes[1..];
            _afterCr = false;
        }

        while (bytes.Length > 0)
        {
            _afterCr = false;
            var end = bytes.IndexOfAny((byte)'\r', (byte)'\n');
            if (end < 0)
            {
                _line.Write(bytes);
                return;
            }

            _line.Write(bytes[..end]);
            EndLine();

            // The line ends with its CR, without a wait for the LF that may follow in the next chunk.
            _afterCr = bytes[end] == '\r';
            bytes = bytes[(end + 1)..];
            if (_afterCr && bytes is [(byte)'\n', ..])
            {
                bytes = bytes[1..];
                _afterCr = false;
            }
        }
    }

    private void EndLine()
    {
        // Line by line: no line break is a part of any other character in UTF-8.
        var line = Encoding.UTF8.GetString(_line.WrittenSpan);
        _line.ResetWrittenCount();
        if (!_afterFirstLine)
        {
            _afterFirstLine = true;
            line = line.StartsWith('\uFEFF') ? line[1..] : line;
        }

        if (line.Length == 0)
        {
            EndBlock();
        }
        else if (line[0] == ':')
        {
            found(new SseTestItem(SseTestItemKind.Comment) { Data = line[(line.StartsWith(": ", StringComparison.Ordinal) ? 2 : 1)..] });
        }
        else
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var value = colon < 0 ? "" : line[(colon + 1)..];
            Field(colon < 0 ? line : line[..colon], value.StartsWith(' ') ? value[1..] : value);
        }
    }

    private void Field(string name, string value)
    {
        switch (name)
        {
            case "data":
                _data.Append(_hasData ? "\n" : "").Append(value);
                _hasFields = _hasData = true;
                break;
            case "event":
                _type = value;
                _hasFields = true;
                break;
            case "id" when !value.Contains('\0', StringComparison.Ordinal):
                _id = value;
                _hasFields = true;
                break;

            // Digits only; a number that no timer could hold is ignored, as SseParser does.
            case "retry" when long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
                && milliseconds <= TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerMillisecond:
                ReconnectionInterval = _retry = TimeSpan.FromMilliseconds(milliseconds);
                _hasFields = true;
                break;
        }
    }

    private void EndBlock()
    {
        LastEventId = _id ?? LastEventId;
        if (_hasData)
        {
            found(new SseTestItem(SseTestItemKind.Event)
            {
                EventType = _type.Length == 0 ? "message" : _type,
                Data = _data.ToString(),
                EventId = _id,
                ReconnectionInterval = _retry,
            });
        }
        else if (_hasFields)
        {
            found(new SseTestItem(SseTestItemKind.Silent) { EventId = _id, ReconnectionInterval = _retry });
        }

        _data.Clear();
        _hasData = _hasFields = false;
        (_type, _id, _retry) = ("", null, null);
    }
}
