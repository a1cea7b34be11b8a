using System.Net.ServerSentEvents;
using System.Reflection;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using SseKit.Producing;
using SseKit.Streaming;
using SseKit.Topics;
using SseKit.Wire;

namespace SseKit;

/// <summary>
/// An <see cref="EventSourceResult"/> whose events are values of one type, as JSON: declared as a return type it tells OpenAPI what the stream
/// holds. Strings and byte arrays are sent as they are, as <c>TypedResults.ServerSentEvents</c> does.
/// </summary>
/// <typeparam name="T">The type of the values.</typeparam>
public sealed class EventSourceResult<T> : EventSourceResult, IEndpointMetadataProvider
{
    /// <summary>Streams values as JSON; strings and byte arrays as they are.</summary>
    /// <param name="items">The values. Its token (<c>[EnumeratorCancellation]</c>) is cancelled when the client leaves and when the app stops.</param>
    /// <param name="eventType">The type of all events; null means <c>message</c>.</param>
    /// <param name="jsonTypeInfo">The contract to write the values with; null to use the app's options.</param>
    /// <param name="configure">Choices for this result.</param>
    /// <exception cref="ArgumentException">The event type or a choice is not acceptable, or <typeparamref name="T"/> is itself a type of event.</exception>
    public EventSourceResult(
        IAsyncEnumerable<T> items, string? eventType = null, JsonTypeInfo<T>? jsonTypeInfo = null, Action<SseStreamOptions>? configure = null)
        : base(Open(items, FieldRules.EventType(eventType), jsonTypeInfo), StreamChoices.Of(configure))
    {
    }

    internal EventSourceResult(IAsyncEnumerable<SseItem<T>> items, JsonTypeInfo<T>? jsonTypeInfo, Action<SseStreamOptions>? configure)
        : base(Open(items, jsonTypeInfo), StreamChoices.Of(configure))
    {
    }

    internal EventSourceResult(ProducerPlan plan)
        : base(ProducerDoor.Opening(plan), options: null, ProducerDoor.IsOver(plan))
    {
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        StreamMetadata.Add(builder, typeof(T));
    }

    private static Func<HttpContext, StreamHost, CancellationToken, FrameSource> Open(
        IAsyncEnumerable<T> items, string? eventType, JsonTypeInfo<T>? jsonTypeInfo)
    {
        ArgumentNullException.ThrowIfNull(items);
        if (typeof(T) == typeof(SseEvent) || (typeof(T).IsGenericType && typeof(T).GetGenericTypeDefinition() == typeof(SseItem<>)))
        {
            throw new ArgumentException(
                $"{typeof(T).Name} is an event already and would be sent as JSON. Use EventSourceResult.From(items), which takes events as they are.", nameof(items));
        }

        return items switch
        {
            IAsyncEnumerable<string?> texts => (_, host, stop) =>
                new MappedItems<string?>(texts, text => new SseEvent(text, eventType), host.Json, stop),
            IAsyncEnumerable<byte[]?> bytes => (_, host, stop) =>
                new MappedItems<byte[]?>(bytes, utf8 => SseEvent.Utf8(utf8) with { EventType = eventType }, host.Json, stop),
            _ when jsonTypeInfo is not null => (_, _, stop) => new JsonItems<T>(items, eventType, jsonTypeInfo, json: null, stop),
            _ => (_, host, stop) => new JsonItems<T>(
                items, eventType, GeneratedJson.Of((JsonTypeInfo<T>)host.Json.GetTypeInfo(typeof(T))), host.Json, stop),
        };
    }

    private static Func<HttpContext, StreamHost, CancellationToken, FrameSource> Open(IAsyncEnumerable<SseItem<T>> items, JsonTypeInfo<T>? jsonTypeInfo)
    {
        ArgumentNullException.ThrowIfNull(items);
        return (_, host, stop) => new MappedItems<SseItem<T>>(
            items, item => jsonTypeInfo is null ? SseEvent.From(item) : SseEvent.From(item, jsonTypeInfo), host.Json, stop);
    }
}
