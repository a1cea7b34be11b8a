using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Wire;

namespace SseKit.Producing;

/// <summary>Makes events of a source's values: strings and bytes as they are, anything else as JSON.</summary>
internal static class ProducedValues
{
    public static Func<IServiceProvider, CancellationToken, IAsyncEnumerable<SseEvent>> Of<T>(
        Func<IServiceProvider, CancellationToken, IAsyncEnumerable<T>> source, string? eventType, JsonTypeInfo<T>? jsonTypeInfo, TimeSpan window)
    {
        ArgumentNullException.ThrowIfNull(source);
        FieldRules.EventType(eventType);
        if (source is Func<IServiceProvider, CancellationToken, IAsyncEnumerable<SseEvent>> events)
        {
            return events;
        }

        return (services, stop) =>
        {
            var items = source(services, stop);
            return items switch
            {
                null => null!,
                IAsyncEnumerable<string?> texts when window > TimeSpan.Zero => Events(
                    Coalescing.Read(texts, window, services.GetService<TimeProvider>() ?? TimeProvider.System, stop),
                    text => new SseEvent(text, eventType),
                    stop),
                IAsyncEnumerable<string?> texts => Events(texts, text => new SseEvent(text, eventType), stop),
                IAsyncEnumerable<byte[]?> bytes => Events(bytes, utf8 => SseEvent.Utf8(utf8) with { EventType = eventType }, stop),
                _ when jsonTypeInfo is null => Events(items, item => SseEvent.Json(item) with { EventType = eventType }, stop),
                _ => Events(items, item => SseEvent.Json(item, jsonTypeInfo) with { EventType = eventType }, stop),
            };
        };
    }

    private static async IAsyncEnumerable<SseEvent> Events<T>(
        IAsyncEnumerable<T> items, Func<T, SseEvent> map, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var item in items.WithCancellation(cancellationToken))
        {
            yield return map(item);
        }
    }
}
