namespace SseKit;

/// <summary>What a filter sees of an event of a topic; see <see cref="SseStreamOptions.Filter"/>. The payload is not looked at.</summary>
public readonly record struct SseTopicEvent
{
    private readonly string? _eventType;

    /// <summary>The event's type; <c>message</c> where the publisher gave none.</summary>
    public string EventType
    {
        get => _eventType ?? "message";
        init => _eventType = value is "" or "message" ? null : value;
    }

    /// <summary>The event's <see cref="SseEvent.Key"/>; null where the publisher gave none.</summary>
    public string? Key { get; init; }
}
