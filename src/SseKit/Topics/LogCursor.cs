using SseKit.Waiting;

namespace SseKit.Topics;

/// <summary>What a look at the log gave.</summary>
internal enum CursorRead
{
    /// <summary>Frames to deliver.</summary>
    Frames,

    /// <summary>Nothing yet.</summary>
    Empty,

    /// <summary>Nothing that the reader wants, up to the end of a segment; there is more.</summary>
    Skipped,

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

    // The last that it has heard of the events that are not kept. Who comes hears of those that come later.
    private EphemeralFrame? _heard = log.NewestEphemeral();

    /// <summary>The id of the last event that was read, or of the place where reading began.</summary>
    public string Id => _id ??= log.IdOf(_position);

    /// <summary>Whether the log has broken off since the cursor was placed.</summary>
    public bool IsCutOff => _breaks != log.Breaks;

    public void MoveTo(LogPlace place)
    {
        (_position, _id, _breaks) = place;
        _id = log.ComputesIds ? null : _id;
        (_segment, _index) = (null, 0);
    }

    /// <summary>
    /// Takes everything at hand up to the end of a segment, or the first run of it that is wanted. An event that is not kept comes between those
    /// that were published before and after it.
    /// </summary>
    public CursorRead Read(out ReadOnlyMemory<byte> frames, Selection? selection = null)
    {
        frames = default;
        var nothing = log.IsEnded ? CursorRead.Ended : CursorRead.Empty;
        var skipped = false;
        while (true)
        {
            var until = long.MaxValue;
            if (log.Ephemerals is { } ephemerals
                && Hear(ephemerals, selection, out frames, out until) is var heard and not CursorRead.Empty)
            {
                return heard;
            }

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
                var end = until >= _segment.First + count ? count : (int)(until - _segment.First + 1);
                var taken = true;
                if (selection is null)
                {
                    frames = _segment.Frames(_index, end);
                    _index = end;
                }
                else
                {
                    taken = selection.TryTake(_segment, ref _index, end, out frames);
                }

                _position = _segment.First + _index - 1;
                _id = _segment.Entry(_index - 1).Id;
                if (taken)
                {
                    return CursorRead.Frames;
                }

                skipped = true;
                continue;
            }

            if (next is not null)
            {
                (_segment, _index) = (next, 0);
                if (skipped)
                {
                    return CursorRead.Skipped;
                }
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

    /// <summary>Has its reader woken by the next event; false when there may be something to read at once.</summary>
    public bool TryWait(IWakeable reader) => TryWait(reader, _heard);

    /// <summary>The same for who does not read yet: events that are not kept are to be read later, and wake it at most once.</summary>
    public bool TryWaitForGrowth(IWakeable reader) => TryWait(reader, log.NewestEphemeral());

    /// <summary>Leaves the queue of those who wait, if it is there. What is under way to it may still arrive.</summary>
    public void StopWaiting() => log.StopWaiting(this);

    private bool TryWait(IWakeable reader, EphemeralFrame? heard)
    {
        WakeFor(reader);
        return log.TryWait(this, _position, heard);
    }

    /// <summary>
    /// Looks for an event that is not kept and whose turn it is; <see cref="CursorRead.Empty"/> where there is none, with the position up to which
    /// to read before the next one.
    /// </summary>
    private CursorRead Hear(EphemeralChain ephemerals, Selection? selection, out ReadOnlyMemory<byte> frames, out long until)
    {
        (frames, until) = (default, long.MaxValue);
        for (var looks = 0; looks < EphemeralChain.MostFrames; looks++)
        {
            if (ephemerals.After(_heard) is not { } ephemeral)
            {
                return CursorRead.Empty;
            }

            if (ephemeral.After > _position)
            {
                until = ephemeral.After;
                return CursorRead.Empty;
            }

            _heard = ephemeral;
            if (selection?.Takes(ephemeral.About) != false)
            {
                frames = ephemeral.Frame;
                return CursorRead.Frames;
            }
        }

        return CursorRead.Skipped;
    }
}
