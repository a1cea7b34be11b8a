using System.Buffers;
using System.Text;

namespace SseKit.Wire;

/// <summary>
/// What may stand in the fields of an event. A line break in a type or an id would let whoever chose it write fields and events of their
/// own (CVE-2026-22735 and its many siblings); NUL makes a conforming client ignore the whole id (WHATWG HTML 9.2.6).
/// </summary>
internal static class FieldRules
{
    public const int MaxEventIdBytes = 1024;
    public const int MaxKeyBytes = 1024;

    /// <summary>Ids that SseKit makes and accepts for its topics stay below this, so that a header of any length costs nothing.</summary>
    public const int MaxTopicIdLength = 64;

    private static readonly SearchValues<char> Breaking = SearchValues.Create("\r\n\0");

    // Anything else in a Last-Event-ID makes a cross-origin reconnect ask for a CORS preflight (Fetch, "CORS-unsafe request-header byte").
    private static readonly SearchValues<char> TopicIdCharacters =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-");

    // The fields are named as the properties of SseEvent are: that is where whoever reads the message set them.
    public static string? EventType(string? value) => OneLine(value, "EventType");

    public static string? EventId(string? value)
    {
        OneLine(value, "EventId");
        if (value is not null && value.Length > MaxEventIdBytes / 3 && Encoding.UTF8.GetByteCount(value) > MaxEventIdBytes)
        {
            throw new ArgumentException(
                $"EventId is {Encoding.UTF8.GetByteCount(value)} bytes long; the most is {MaxEventIdBytes}, because every reconnect sends it back in a header. Put what it holds into the data.",
                "EventId");
        }

        return value;
    }

    /// <summary>Text that every store can keep and give back as it was; null where there is none.</summary>
    public static string? Key(string? value)
    {
        if (string.IsNullOrEmpty(value))
        {
            return null;
        }

        if (value.Length > MaxKeyBytes / 3 && Encoding.UTF8.GetByteCount(value) > MaxKeyBytes)
        {
            throw new ArgumentException(
                $"Key is {Encoding.UTF8.GetByteCount(value)} bytes long; the most is {MaxKeyBytes}, because it is kept with each event. Use a short name of what the event is about, and put the rest into the data.",
                "Key");
        }

        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '\0')
            {
                throw new ArgumentException($"Key holds a NUL at position {i}, which not every store can keep. Remove it.", "Key");
            }

            // Two keys that differ only in lone surrogates would be one key in a store that keeps UTF-8, and a filter would let both pass.
            if (char.IsSurrogate(value[i]) && !char.IsSurrogatePair(value, i++))
            {
                throw new ArgumentException($"Key holds a lone surrogate at position {i - 1}, which is no character. Remove it.", "Key");
            }
        }

        return value;
    }

    public static TimeSpan? ReconnectionInterval(TimeSpan? value)
    {
        if (value < TimeSpan.Zero)
        {
            throw new ArgumentException(
                $"ReconnectionInterval is {value}; it must be zero or more. Leave it null to send none.",
                "ReconnectionInterval");
        }

        return value;
    }

    public static bool IsTopicId(string id) => id.Length is > 0 and <= MaxTopicIdLength && !id.AsSpan().ContainsAnyExcept(TopicIdCharacters);

    private static string? OneLine(string? value, string field)
    {
        var at = value.AsSpan().IndexOfAny(Breaking);
        if (at >= 0)
        {
            var what = value![at] switch { '\r' => "CR", '\n' => "LF", _ => "NUL" };
            throw new ArgumentException(
                $"{field} holds a {what} at position {at}; CR, LF and NUL can't stand there. Remove them, or put the text into the data.",
                field);
        }

        return value;
    }
}
