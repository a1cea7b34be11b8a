using System.Buffers.Text;

namespace SseKit.Wire;

/// <summary>The lines of an event that come before its data.</summary>
internal static class EventHead
{
    public static void Write(FrameBuffer buffer, string? eventType, TimeSpan? retry)
    {
        if (!string.IsNullOrEmpty(eventType))
        {
            Lines.Write(buffer, "event: "u8, eventType);
        }

        if (retry is { } interval)
        {
            WriteRetry(buffer, interval);
        }
    }

    /// <summary>One <c>retry:</c> line, which every client takes at once; a blank line after it would be an empty message to some.</summary>
    public static void WriteRetry(FrameBuffer buffer, TimeSpan interval)
    {
        var span = buffer.GetSpan(32);
        "retry: "u8.CopyTo(span);
        Utf8Formatter.TryFormat(interval.Ticks / TimeSpan.TicksPerMillisecond, span[7..], out var written);
        span[7 + written] = (byte)'\n';
        buffer.Advance(7 + written + 1);
    }
}
