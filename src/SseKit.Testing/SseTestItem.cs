using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SseKit.Testing;

/// <summary>One thing that arrived on a stream: an event, a comment, or a block without data.</summary>
public sealed record SseTestItem
{
    internal SseTestItem(SseTestItemKind kind) => Kind = kind;

    /// <summary>What it is.</summary>
    public SseTestItemKind Kind { get; }

    /// <summary>The type of an event; <c>message</c> where the stream names none.</summary>
    public string EventType { get; internal init; } = "message";

    /// <summary>The data of an event, its lines joined by LF; the text of a comment, without the colon and one space; else empty.</summary>
    public string Data { get; internal init; } = "";

    /// <summary>The id that stands in this block, null where none does. What a client would come back with is <see cref="SseTestStream.LastEventId"/>.</summary>
    public string? EventId { get; internal init; }

    /// <summary>The <c>retry:</c> that stands in this block; null where none does.</summary>
    public TimeSpan? ReconnectionInterval { get; internal init; }

    /// <summary>Reads the data as JSON.</summary>
    /// <typeparam name="T">The type of the value; <see cref="JsonElement"/> for any.</typeparam>
    /// <param name="options">How to read it; null for the web's defaults, as ASP.NET Core has them.</param>
    /// <returns>The value; null where the data is <c>null</c>.</returns>
    /// <exception cref="JsonException">The data is no JSON, or not of this type; the message quotes it.</exception>
    public T? Json<T>(JsonSerializerOptions? options = null) => Read(() => JsonSerializer.Deserialize<T>(Data, options ?? JsonSerializerOptions.Web));

    /// <summary>Reads the data as JSON by a contract, without reflection.</summary>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="jsonTypeInfo">The contract.</param>
    /// <returns>The value; null where the data is <c>null</c>.</returns>
    /// <exception cref="JsonException">The data is no JSON, or not of this type; the message quotes it.</exception>
    public T? Json<T>(JsonTypeInfo<T> jsonTypeInfo) => Read(() => JsonSerializer.Deserialize(Data, jsonTypeInfo));

    /// <summary>The item in one line, for a failed test to show.</summary>
    /// <returns>Such as <c>created #17: {"id":1}</c>, <c>: keep-alive</c>, <c>(no data) #17</c>.</returns>
    public override string ToString()
    {
        var text = Data.Length <= 200 ? Data : $"{Data[..200]}… ({Data.Length} characters)";
        var id = EventId is null ? "" : $" #{EventId}";
        return Kind switch
        {
            SseTestItemKind.Comment => $": {text}",
            SseTestItemKind.Silent => $"(no data){id}",
            _ => $"{EventType}{id}: {text}",
        };
    }

    private T? Read<T>(Func<T?> read)
    {
        try
        {
            return read();
        }
        catch (JsonException exception)
        {
            throw new JsonException($"The data is no {typeof(T).Name} in JSON. It arrived as '{this}'. {exception.Message}", exception);
        }
    }
}
