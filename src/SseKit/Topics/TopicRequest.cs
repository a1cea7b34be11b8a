using System.Text.Json;

namespace SseKit.Topics;

/// <summary>What a subscriber asks for.</summary>
internal sealed record TopicRequest
{
    public required string Topic { get; init; }

    /// <summary>As the client sent it: anything at all.</summary>
    public string? LastEventId { get; init; }

    public SseStart Start { get; init; }

    public SseGapAction OnGap { get; init; }

    public Func<CancellationToken, IAsyncEnumerable<SseEvent>>? Snapshot { get; init; }

    /// <summary>Whether the stream tells its position where it begins without an event.</summary>
    public bool SendStartPosition { get; init; }

    /// <summary>Which events it wants and what it is told of the others; null for who wants all and is told nothing.</summary>
    public Selection? Selection { get; init; }

    public required string GapEventType { get; init; }

    public required JsonSerializerOptions Json { get; init; }
}
