using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SseKit.Wire;

/// <summary>
/// The body of an event whose data is JSON. It is written right where it belongs and counts only once it is complete: a getter or converter
/// that throws half-way leaves nothing behind. What does not fit there, or turns out to be more than one line (indented JSON, or raw JSON with
/// line breaks from a converter), goes by way of memory of its own.
/// </summary>
internal static class JsonText
{
    // What a writer of JSON asks for at first.
    private const int LeastRoom = 256;

    /// <param name="buffer">Where to.</param>
    /// <param name="eventType">The event's type.</param>
    /// <param name="value">The value.</param>
    /// <param name="contract">The contract of its declared type.</param>
    /// <param name="options">The app's, which have contracts for derived values too. Null where the user named one, whose context may hold no others.</param>
    public static void Write<T>(FrameBuffer buffer, string? eventType, T value, JsonTypeInfo<T> contract, JsonSerializerOptions? options)
    {
        var json = Begin(buffer, eventType, retry: null, out var head);
        var writer = json.Writer(options ?? contract.Options);
        if (options is null || Fits(contract, value))
        {
            JsonSerializer.Serialize(writer, value, contract);
        }
        else
        {
            JsonSerializer.Serialize(writer, value, options.GetTypeInfo(value!.GetType()));
        }

        End(buffer, eventType, retry: null, json, head);
    }

    public static void Write(FrameBuffer buffer, in SseEvent item, JsonSerializerOptions options)
    {
        var contract = item.JsonContract;
        if (contract is null)
        {
            contract = options.GetTypeInfo(item.JsonType!);
            contract = Fits(contract, item.JsonValue) ? contract : options.GetTypeInfo(item.JsonValue!.GetType());
        }

        var json = Begin(buffer, item.EventType, item.ReconnectionInterval, out var head);
        JsonSerializer.Serialize(json.Writer(contract.Options), item.JsonValue, contract);
        End(buffer, item.EventType, item.ReconnectionInterval, json, head);
    }

    /// <summary>Writes what comes before the JSON into the room of the buffer, and lends the rest of it, if there is enough.</summary>
    private static JsonScratch Begin(FrameBuffer buffer, string? eventType, TimeSpan? retry, out int head)
    {
        var json = buffer.Json;
        buffer.MakeRoom(1);
        head = 0;
        if (buffer.Room.Length < EventHead.Most(eventType) + LeastRoom)
        {
            json.Borrow(default);
            return json;
        }

        var before = buffer.Used;
        EventHead.Write(buffer, eventType, retry);
        buffer.Write(EventFrame.Data);
        head = buffer.Used - before;
        json.Borrow(buffer.Room);
        buffer.TakeBack(head);
        return json;
    }

    private static void End(FrameBuffer buffer, string? eventType, TimeSpan? retry, JsonScratch json, int head)
    {
        if (json.Borrows && Lines.IsOne(json.Written))
        {
            buffer.Advance(head + json.Used);
            buffer.Write("\n"u8);
            return;
        }

        json.StandAlone();
        EventHead.Write(buffer, eventType, retry);
        Lines.WriteUtf8(buffer, EventFrame.Data, json.Written);
    }

    // A value of a derived type is written by its own contract unless the declared one knows its derived types: as minimal APIs do.
    private static bool Fits<T>(JsonTypeInfo contract, T value) =>
        value is null || contract.Type == value.GetType() || contract.Type.IsValueType || contract.Type.IsSealed || contract.PolymorphismOptions is not null;
}
