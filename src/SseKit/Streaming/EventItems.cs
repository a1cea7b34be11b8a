using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using SseKit.Topics;
using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>Events as they are.</summary>
internal sealed class EventItems(IAsyncEnumerable<SseEvent> items, JsonSerializerOptions json, CancellationToken cancellationToken)
    : ItemSource<SseEvent>(items, cancellationToken)
{
    public override int Events => Current.IsComment ? 0 : 1;

    public override void Write(FrameBuffer buffer) => EventFrame.Write(buffer, Current, json);
}

/// <summary>Values of which each makes an event.</summary>
internal sealed class MappedItems<T>(IAsyncEnumerable<T> items, Func<T, SseEvent> map, JsonSerializerOptions json, CancellationToken cancellationToken)
    : ItemSource<T>(items, cancellationToken)
{
    public override void Write(FrameBuffer buffer) => EventFrame.Write(buffer, map(Current), json);
}

/// <summary>Values as JSON by one contract, without a box for each.</summary>
internal sealed class JsonItems<T>(IAsyncEnumerable<T> items, string? eventType, JsonTypeInfo<T> contract, JsonSerializerOptions? json, CancellationToken cancellationToken)
    : ItemSource<T>(items, cancellationToken)
{
    public override void Write(FrameBuffer buffer) => EventFrame.WriteJson(buffer, eventType, Current, contract, json);
}
