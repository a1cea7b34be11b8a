namespace SseKit.Topics;

/// <summary>What a look at the log gave.</summary>
internal enum CursorRead
{
    /// <summary>Frames to deliver.</summary>
    Frames,

    /// <summary>Nothing yet.</summary>
    Empty,

    /// <summary>What comes next is not in the log any more.</summary>
    Lapped,

    /// <summary>Nothing, now or ever.</summary>
    Ended,
}

/// <summary>
/// A subscriber's place in a log: all the memory that a subscriber costs, whatever it has not read yet. Reading takes no lock while it stays
/// within a segment. Used by one reader.
/// </summary>
internal sealed class LogCursor(TopicLog log) : LogWaiter
{
    private LogSegment? _segment;
    private int _index;
    private long _position;
    private string? _id;
    private int _breaks;

    /// <summary>The id of the last event that was read, or of the place where reading began.</summary>
    public string Id => _id ??= log.IdOf(_position);

    /// <summary>Whether the log has broken off since the cursor was placed.</summary>
    public bool IsCutOff => _breaks != log.Breaks;

    public void MoveTo(LogPlace place)
    {
        (_position, _id, _breaks) = place;
        (_segment, _index) = (null, 0);
    }

    /// <summary>Takes everything at hand up to the end of a segment.</summary>
    public CursorRead Read(out ReadOnlyMemory<byte> frames)
    {
        frames = default;
        var nothing = log.IsEnded ? CursorRead.Ended : CursorRead.Empty;
        while (true)
        {
            if (_segment is null)
            {
                if (!log.TryLocate(_position, out _segment, out _index))
                {
                    return CursorRead.Lapped;
                }

                if (_segment is null)
                {
                    return nothing;
                }
            }

            // Next before Count: where there is a next segment, the count that is read after it is final.
            var next = _segment.Next;
            var count = _segment.Count;
            if (_index < count)
            {
                frames = _segment.Frames(_index, count);
                _index = count;
                _position = _segment.First + count - 1;
                _id = _segment.Entry(count - 1).Id;
                return CursorRead.Frames;
            }

            if (next is not null)
            {
                (_segment, _index) = (next, 0);
            }
            else if (_segment.Trimmed)
            {
                _segment = null;
            }
            else
            {
                return nothing;
            }
        }
    }

    /// <summary>Waits until there may be something to read, or until it is cancelled.</summary>
    public ValueTask WaitAsync() => log.TryWait(this, _position) ? SleepAsync() : default;

    public void Cancel()
    {
        SetCancelled();
        log.StopWaiting(this);
        Wake();
    }
}
