using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SseKit.Wire;

/// <summary>
/// An event as bytes: <c>event</c>, <c>retry</c>, <c>data</c>, <c>id</c> and a blank line, in that order. The id comes last because some
/// clients take it at its line: had it come first, a stream cut inside the data would make them skip that event.
/// </summary>
internal static class EventFrame
{
    public static ReadOnlySpan<byte> Data => "data: "u8;

    /// <summary>A whole event, or the lines of a comment.</summary>
    public static void Write(FrameBuffer buffer, in SseEvent item, JsonSerializerOptions options)
    {
        if (item.IsText && item.EventType is null && item.ReconnectionInterval is null && item.EventId is null && Lines.TryWriteLine(buffer, Data, item.Text, "\n\n"u8))
        {
            return;
        }

        WriteBody(buffer, item, options);
        if (!item.IsComment)
        {
            WriteEnd(buffer, item.EventId);
        }
    }

    /// <summary>A value as an event with JSON as its data.</summary>
    public static void WriteJson<T>(FrameBuffer buffer, string? eventType, T value, JsonTypeInfo<T> contract, JsonSerializerOptions? options)
    {
        JsonText.Write(buffer, eventType, value, contract, options);
        WriteEnd(buffer, id: null);
    }

    /// <summary>All of an event but its id and the blank line: what a topic keeps until its store has given the id.</summary>
    public static void WriteBody(FrameBuffer buffer, in SseEvent item, JsonSerializerOptions options)
    {
        if (item.IsJson)
        {
            JsonText.Write(buffer, item, options);
            return;
        }

        EventHead.Write(buffer, item.EventType, item.ReconnectionInterval);
        if (item.IsUtf8)
        {
            Lines.WriteUtf8(buffer, Data, item.Utf8Data.Span);
        }
        else if (item.IsComment)
        {
            Lines.Write(buffer, item.Text.Length == 0 ? ":"u8 : ": "u8, item.Text);
        }
        else
        {
            Lines.Write(buffer, Data, item.Text);
        }
    }

    /// <summary>What follows the body: the id, if there is one, and the blank line that makes the client dispatch.</summary>
    public static void WriteEnd(FrameBuffer buffer, string? id)
    {
        if (id is not null)
        {
            Lines.Write(buffer, "id: "u8, id);
        }

        buffer.Write("\n"u8);
    }

    /// <summary>The whole event in an array of its own.</summary>
    public static byte[] Encode(in SseEvent item, JsonSerializerOptions options)
    {
        var scratch = ScratchFrames.Rent();
        Write(scratch, item, options);
        return scratch.ReturnAsArray();
    }

    /// <summary>A block with nothing but an id: EventSource stores it and fires no event.</summary>
    public static byte[] Position(string id) => Encoding.UTF8.GetBytes($"id: {id}\n\n");

    /// <summary>How many events these whole frames hold. A position is none, and stands alone.</summary>
    public static int Count(ReadOnlySpan<byte> frames) => frames.StartsWith("id: "u8) ? 0 : frames.Count("\n\n"u8);

    /// <summary>Whether the last of these whole frames gives its client an id.</summary>
    public static bool EndsWithId(ReadOnlySpan<byte> frames)
    {
        var lines = frames[..^2];
        return lines[(lines.LastIndexOf((byte)'\n') + 1)..].StartsWith("id: "u8);
    }
}
