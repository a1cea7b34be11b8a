using System.Globalization;
using System.Text;

namespace SseKit.Wire;

/// <summary>
/// Frames of our own making as events again, for readers inside the app. Not a parser for streams of others: it relies on whole frames, on
/// LF and on one space after the colon. Blocks without data, which only move the position, give no event.
/// </summary>
internal static class FrameReader
{
    public static IEnumerable<SseEvent> Read(ReadOnlyMemory<byte> frames)
    {
        while (!frames.IsEmpty)
        {
            var length = frames.Span.IndexOf("\n\n"u8) + 2;
            if (ReadOne(frames.Span[..(length - 1)]) is { } item)
            {
                yield return item;
            }

            frames = frames[length..];
        }
    }

    /// <summary>One event that is kept without its id, or that has none.</summary>
    public static SseEvent? Read(ReadOnlySpan<byte> body, string? id) => ReadOne(body) is { } item ? item with { EventId = id } : default(SseEvent?);

    private static SseEvent? ReadOne(ReadOnlySpan<byte> frame)
    {
        StringBuilder? data = null;
        string? eventType = null, id = null;
        TimeSpan? retry = null;
        while (!frame.IsEmpty)
        {
            var end = frame.IndexOf((byte)'\n');
            var line = Encoding.UTF8.GetString(frame[..end]);
            frame = frame[(end + 1)..];
            var value = line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..];
            switch (line[0])
            {
                case 'd':
                    data = data is null ? new StringBuilder(value) : data.Append('\n').Append(value);
                    break;
                case 'e':
                    eventType = value;
                    break;
                case 'i':
                    id = value;
                    break;
                case 'r':
                    retry = TimeSpan.FromMilliseconds(long.Parse(value, CultureInfo.InvariantCulture));
                    break;
            }
        }

        // A bare null would become an event by way of string.
        return data is null ? default(SseEvent?) : new SseEvent(data.ToString(), eventType) { EventId = id, ReconnectionInterval = retry };
    }
}
