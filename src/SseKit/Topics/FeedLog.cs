using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>This node's copy of the newest events of a topic that lives in a store. Its ids are the store's.</summary>
internal sealed class FeedLog : TopicLog
{
    private readonly Dictionary<string, long> _positions = new(StringComparer.Ordinal);
    private string _baseId;

    public FeedLog(string headId, TopicRetention retention, TimeProvider time, bool isEnded = false)
        : base(retention, time)
    {
        _baseId = headId;
        _positions.Add(headId, Base);
        IsEnded = isEnded;
    }

    /// <summary>Adds what the store has after the newest event; false when the store's entries do not continue it.</summary>
    public bool TryAppend(IReadOnlyList<SseEntry> entries)
    {
        WaiterQueue.Batch waiting = default;
        try
        {
            lock (Gate)
            {
                for (var i = 0; i < entries.Count; i++)
                {
                    var entry = entries[i];
                    if (!string.Equals(entry.PreviousId, IdOf(Head), StringComparison.Ordinal))
                    {
                        return false;
                    }

                    // The position first: an id that is there already would be a store that repeats itself.
                    if (!FieldRules.IsTopicId(entry.Id) || !_positions.TryAdd(entry.Id, Head + 1))
                    {
                        throw new InvalidOperationException(
                            $"The backlog gave the id '{entry.Id}', which is repeated or not 1 to {FieldRules.MaxTopicIdLength} characters of [0-9A-Za-z._-]. See {nameof(ISseBacklog)}.");
                    }

                    // The first takes all who wait: nobody can begin to meanwhile.
                    var woken = Append(entry.Frame.Span, entry.Id, entry.Id, entry.EventType, entry.Key, entry.Age);
                    waiting = i == 0 ? woken : waiting;
                    IsEnded = entry.IsEnd;
                }
            }

            return true;
        }
        finally
        {
            // Once for a page, and also for what came before an entry that does not continue it.
            waiting.Wake();
        }
    }

    /// <summary>Begins anew behind <paramref name="id"/>, because the store's entries do not continue what is here.</summary>
    /// <param name="id">The id of what was there before.</param>
    /// <param name="isEnded">Whether nothing will follow it.</param>
    public void BreakTo(string id, bool isEnded)
    {
        WaiterQueue.Batch waiting;
        lock (Gate)
        {
            waiting = Break();
            IsEnded = isEnded;
            _positions.Clear();
            _baseId = id;
            _positions.Add(id, Base);
        }

        waiting.Wake();
    }

    public override string IdOf(long position)
    {
        if (position == Base)
        {
            return _baseId;
        }

        var segment = SegmentOf(position);
        return segment.Entry((int)(position - segment.First)).Id!;
    }

    protected override TopicLookup FindPosition(string id, out long position) =>
        _positions.TryGetValue(id, out position) ? TopicLookup.Found : TopicLookup.Unknown;

    protected override void OnTrimmed(LogEntry entry)
    {
        _positions.Remove(_baseId);
        _baseId = entry.Id!;
    }
}
