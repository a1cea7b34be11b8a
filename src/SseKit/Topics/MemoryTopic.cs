using System.Globalization;
using System.Security.Cryptography;
using SseKit.Diagnostics;

namespace SseKit.Topics;

/// <summary>
/// A topic whose log is all there is of it. Ids are an origin, drawn when the topic comes to be and never again, and the sequence number: so
/// an id of another topic, or of this one before a restart, is not mistaken for one of its own, and finding a place is arithmetic.
/// </summary>
internal sealed partial class MemoryTopic(string name, TopicRetention retention, TimeProvider time) : TopicLog(retention, time)
{
    // 12 characters of 62 are 71 bits: a collision within a billion topics has odds of about one in two thousand.
    private readonly string _origin = RandomNumberGenerator.GetString("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 12);
    private Action? _grown;

    public string Name { get; } = name;

    /// <summary>How many read it. Kept by the backlog, under the backlog's gate.</summary>
    public int Readers { get; set; }

    /// <summary>At which of the backlog's sweeps it was used last, once nobody reads it. Kept as <see cref="Readers"/> is.</summary>
    public int LastUsed { get; set; }

    /// <summary>How many of these are subscriptions, and not a publisher's step that is over in a moment. Kept as <see cref="Readers"/> is.</summary>
    public int Subscribers { get; set; }

    /// <summary>Whether it never had an event: then nothing is lost with it but its origin.</summary>
    public bool IsBlank
    {
        get
        {
            lock (Gate)
            {
                return Head == 0 && !_wasLeased;
            }
        }
    }

    public string Append(ReadOnlySpan<byte> body, string? eventType, string? key = null, long? fence = null, SseProducerState? outcome = null) =>
        Append(body, eventType, key, fence, outcome, out _, linked: false);

    public SseEntry Append(SseAppend append)
    {
        var id = Append(append.Frame.Span, append.EventType, append.Key, append.Fence, append.Outcome, out var previousId, linked: true);
        return new SseEntry
        {
            Id = id,
            PreviousId = previousId,
            Frame = append.Frame,
            EventType = append.EventType,
            Key = append.Key,
            IsEnd = append.Outcome is not null,
        };
    }

    /// <summary>Adds several events; nobody sees one of them without the rest.</summary>
    /// <exception cref="ArgumentException">They are more than is kept.</exception>
    public SseEntry[] Append(IReadOnlyList<SseAppend> appends)
    {
        var entries = new SseEntry[appends.Count];
        WaiterQueue.Batch waiting = default;
        Action? bell;
        lock (Gate)
        {
            CheckFence(appends[0].Fence, appends[^1].Outcome);
            var bytes = 0L;
            for (var i = 0; i < entries.Length; i++)
            {
                var id = IdOf(Head + i + 1);
                bytes += LogEntry.SizeOf(LogSegment.FrameLength(appends[i].Frame.Length, id), appends[i].Key);
                entries[i] = new SseEntry
                {
                    Id = id,
                    PreviousId = i == 0 ? IdOf(Head) : entries[i - 1].Id,
                    Frame = appends[i].Frame,
                    EventType = appends[i].EventType,
                    Key = appends[i].Key,
                    IsEnd = appends[i].Outcome is not null,
                };
            }

            if (entries.Length > 1 && !KeepsAll && !Holds(entries.Length, bytes))
            {
                throw new ArgumentException(
                    $"{entries.Length} events of {bytes} bytes are more than the topic '{Name}' keeps: the first would be gone before anybody could read them, so none was published. Publish fewer at once, or raise SseOptions.MaxEventsPerTopic, SseOptions.MaxBytesPerTopic or the topic's rule in SseOptions.Retention.",
                    nameof(appends));
            }

            for (var i = 0; i < entries.Length; i++)
            {
                // The first takes all who wait: nobody can begin to meanwhile.
                var woken = Append(entries[i].Frame.Span, entries[i].Id, storedId: null, entries[i].EventType, entries[i].Key);
                waiting = i == 0 ? woken : waiting;
            }

            EndWith(appends[^1].Outcome, entries[^1].Id);
            bell = _grown;
        }

        waiting.Wake();
        bell?.Invoke();
        return entries;
    }

    public SseSlice Read(string? after, int max)
    {
        lock (Gate)
        {
            DropAged();
            if (after is null || FindPosition(after, out var position) != TopicLookup.Found)
            {
                position = Base;
            }

            var entries = new SseEntry[(int)Math.Min(max, Head - position)];
            for (var i = 0; i < entries.Length; i++)
            {
                var segment = SegmentOf(++position);
                var index = (int)(position - segment.First);
                var entry = segment.Entry(index);
                entries[i] = new SseEntry
                {
                    Id = IdOf(position),
                    PreviousId = IdOf(position - 1),
                    Frame = segment.Body(index),
                    EventType = entry.EventType,
                    Key = entry.Key,
                    IsEnd = IsEnded && position == Head,
                };
            }

            return new SseSlice { Head = IdOf(Head), Entries = entries, IsEnded = IsEnded };
        }
    }

    public void Watch(Action grown)
    {
        lock (Gate)
        {
            _grown += grown;
        }
    }

    public void Unwatch(Action grown)
    {
        lock (Gate)
        {
            _grown -= grown;
        }
    }

    private string Append(
        ReadOnlySpan<byte> body, string? eventType, string? key, long? fence, SseProducerState? outcome, out string previousId, bool linked)
    {
        string id;
        WaiterQueue.Batch waiting;
        Action? grown;
        lock (Gate)
        {
            CheckFence(fence, outcome);
            previousId = linked ? IdOf(Head) : "";
            id = IdOf(Head + 1);
            waiting = Append(body, id, storedId: null, eventType, key);
            EndWith(outcome, id);
            grown = _grown;
        }

        using (PublishTrace.StartDelivery(Name, id, waiting.Count))
        {
            waiting.Wake();
        }

        grown?.Invoke();
        return id;
    }

    public override bool ComputesIds => true;

    public override string IdOf(long position) => string.Create(CultureInfo.InvariantCulture, $"{_origin}-{position}");

    protected override TopicLookup FindPosition(string id, out long position)
    {
        position = 0;
        if (id.Length <= _origin.Length + 1
            || !id.StartsWith(_origin, StringComparison.Ordinal)
            || id[_origin.Length] != '-'
            || !long.TryParse(id.AsSpan(_origin.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out position)
            || position > Head
            || (id[_origin.Length + 1] == '0' && id.Length > _origin.Length + 2))
        {
            return TopicLookup.Unknown;
        }

        return position < Base ? TopicLookup.Trimmed : TopicLookup.Found;
    }
}
