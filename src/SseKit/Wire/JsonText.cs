using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SseKit.Wire;

/// <summary>
/// The body of an event whose data is JSON. It is written into memory of its own and copied: memory of the server's pool has mostly been read by
/// another core last, where a copy fetches its lines ahead and a writer of JSON waits for each. And so a getter or converter that throws half-way
/// leaves nothing behind.
/// </summary>
internal static class JsonText
{
    /// <param name="buffer">Where to.</param>
    /// <param name="eventType">The event's type.</param>
    /// <param name="value">The value.</param>
    /// <param name="contract">The contract of its declared type.</param>
    /// <param name="options">The app's, which have contracts for derived values too. Null where the user named one, whose context may hold no others.</param>
    public static void Write<T>(FrameBuffer buffer, string? eventType, T value, JsonTypeInfo<T> contract, JsonSerializerOptions? options)
    {
        var json = buffer.Json;
        var writer = json.Writer(options ?? contract.Options);
        if (options is null || Fits(contract, value))
        {
            JsonSerializer.Serialize(writer, value, contract);
        }
        else
        {
            JsonSerializer.Serialize(writer, value, options.GetTypeInfo(value!.GetType()));
        }

        Finish(buffer, eventType, retry: null, json);
    }

    public static void Write(FrameBuffer buffer, in SseEvent item, JsonSerializerOptions options)
    {
        var contract = item.JsonContract;
        if (contract is null)
        {
            contract = options.GetTypeInfo(item.JsonType!);
            contract = Fits(contract, item.JsonValue) ? contract : options.GetTypeInfo(item.JsonValue!.GetType());
        }

        var json = buffer.Json;
        JsonSerializer.Serialize(json.Writer(contract.Options), item.JsonValue, contract);
        Finish(buffer, item.EventType, item.ReconnectionInterval, json);
    }

    // What is more than one line (indented JSON, or raw JSON with line breaks from a converter) is split like any text.
    private static void Finish(FrameBuffer buffer, string? eventType, TimeSpan? retry, JsonScratch json)
    {
        EventHead.Write(buffer, eventType, retry);
        Lines.WriteUtf8(buffer, EventFrame.Data, json.Written);
    }

    // A value of a derived type is written by its own contract unless the declared one knows its derived types: as minimal APIs do.
    private static bool Fits<T>(JsonTypeInfo contract, T value) =>
        value is null || contract.Type == value.GetType() || contract.Type.IsValueType || contract.Type.IsSealed || contract.PolymorphismOptions is not null;
}
