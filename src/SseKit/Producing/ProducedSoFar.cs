namespace SseKit.Producing;

/// <summary>What a producer has in its topic, by this process and by those before it.</summary>
internal sealed class ProducedSoFar
{
    // What an id and the lines around it add to an event.
    private const int IdBytes = 32;

    private int _events;
    private long _bytes;

    /// <summary>The id of the newest event; null where there is none.</summary>
    public string? LastId { get; private set; }

    public void Add(string id, int length)
    {
        LastId = id;
        _events++;
        _bytes += length + IdBytes;
    }

    /// <summary>Refuses one event more than may be kept: all are, so that every reader sees the whole.</summary>
    public void CheckRoom(string topic, SseProducerOptions options)
    {
        if (_events >= options.MaxEvents)
        {
            throw new InvalidOperationException(
                $"The producer of topic '{topic}' has given {_events} events, which is {nameof(SseProducerOptions)}.{nameof(options.MaxEvents)}. "
                + $"Raise it, or put more into one event ({nameof(options.CoalesceWindow)} does so for text).");
        }

        if (_bytes >= options.MaxBytes)
        {
            throw new InvalidOperationException(
                $"The producer of topic '{topic}' has given {_bytes} bytes, and {nameof(SseProducerOptions)}.{nameof(options.MaxBytes)} is {options.MaxBytes}. Raise it.");
        }
    }
}
