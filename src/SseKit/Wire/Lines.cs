using System.Text;
using System.Text.Unicode;

namespace SseKit.Wire;

/// <summary>
/// A value as the lines of a field, one for each line of the value. CR, LF and CRLF each end a line, as the parser will see it (WHATWG HTML
/// 9.2.5); U+2028 and the like do not. The value is never looked at as anything but text, so it can't break out of its field.
/// </summary>
internal static class Lines
{
    // Below this a line is encoded in one go: the room for its worst case (three bytes a character) still fits a pool block.
    private const int ShortLine = 1024;

    public static void Write(FrameBuffer buffer, ReadOnlySpan<byte> field, ReadOnlySpan<char> text)
    {
        if (TryWriteLine(buffer, field, text, "\n"u8))
        {
            return;
        }

        while (true)
        {
            var end = text.IndexOfAny('\r', '\n');
            if (end < 0)
            {
                WriteLine(buffer, field, text);
                return;
            }

            WriteLine(buffer, field, text[..end]);
            text = text[(end + (text[end..] is ['\r', '\n', ..] ? 2 : 1))..];
        }
    }

    /// <summary>The same for UTF-8; what is not valid becomes U+FFFD.</summary>
    public static void WriteUtf8(FrameBuffer buffer, ReadOnlySpan<byte> field, ReadOnlySpan<byte> utf8)
    {
        // What most JSON is.
        if (utf8.IndexOfAnyExceptInRange((byte)' ', (byte)'~') < 0)
        {
            WriteLine(buffer, field, utf8);
            return;
        }

        if (!Utf8.IsValid(utf8))
        {
            Write(buffer, field, Encoding.UTF8.GetString(utf8));
            return;
        }

        while (true)
        {
            var end = utf8.IndexOfAny((byte)'\r', (byte)'\n');
            if (end < 0)
            {
                WriteLine(buffer, field, utf8);
                return;
            }

            WriteLine(buffer, field, utf8[..end]);
            utf8 = utf8[(end + (utf8[end..] is [(byte)'\r', (byte)'\n', ..] ? 2 : 1))..];
        }
    }

    /// <summary>
    /// What most events are: one line of ASCII. Line ends are looked for in the bytes that it became, which are half of what the characters
    /// were, and no room is asked for that only other scripts would need: it would leave a third of the pool's blocks empty.
    /// </summary>
    public static bool TryWriteLine(FrameBuffer buffer, ReadOnlySpan<byte> field, ReadOnlySpan<char> text, ReadOnlySpan<byte> end)
    {
        if (text.Length > ShortLine)
        {
            return false;
        }

        var span = buffer.GetSpan(field.Length + text.Length + end.Length);
        var line = span[field.Length..^end.Length];
        var length = text.Length;
        if (!PrintableAscii.TryCopy(text, line)
            && (!Encoding.UTF8.TryGetBytes(text, line, out length) || line[..length].ContainsAny((byte)'\r', (byte)'\n')))
        {
            return false;
        }

        field.CopyTo(span);
        end.CopyTo(span[(field.Length + length)..]);
        buffer.Advance(field.Length + length + end.Length);
        return true;
    }

    private static void WriteLine(FrameBuffer buffer, ReadOnlySpan<byte> field, ReadOnlySpan<byte> line)
    {
        var span = buffer.GetSpan(field.Length + Math.Min(line.Length, ShortLine) + 1);
        if (span.Length > field.Length + line.Length)
        {
            field.CopyTo(span);
            line.CopyTo(span[field.Length..]);
            span[field.Length + line.Length] = (byte)'\n';
            buffer.Advance(field.Length + line.Length + 1);
            return;
        }

        buffer.Write(field);
        buffer.Write(line);
        buffer.Write("\n"u8);
    }

    private static void WriteLine(FrameBuffer buffer, ReadOnlySpan<byte> field, ReadOnlySpan<char> line)
    {
        if (line.Length <= ShortLine)
        {
            var span = buffer.GetSpan(field.Length + (line.Length * 3) + 1);
            field.CopyTo(span);
            var length = field.Length + Encoding.UTF8.GetBytes(line, span[field.Length..]);
            span[length] = (byte)'\n';
            buffer.Advance(length + 1);
            return;
        }

        buffer.Write(field);
        while (!line.IsEmpty)
        {
            // Stops before a character that does not fit, so no surrogate pair is ever cut in two.
            Utf8.FromUtf16(line, buffer.GetSpan(ShortLine), out var read, out var written);
            buffer.Advance(written);
            line = line[read..];
        }

        buffer.Write("\n"u8);
    }
}
