namespace SseKit.Topics;

/// <summary>
/// A topic on this node: its newest events, encoded, in the order of their sequence numbers, and those who wait for more. A position
/// is the sequence number of the last event that a reader has. Trimmed by count, by bytes and by age; memory goes segment by segment.
/// </summary>
internal abstract class TopicLog(TopicRetention retention, TimeProvider time)
{
    // A topic of small events starts small; a stalled reader holds one segment, so the largest is small as well.
    private const int SmallestSegment = 256;
    private const int LargestSegment = 16 * 1024;

    private readonly List<LogSegment> _segments = [];
    private readonly WaiterQueue _waiting = new();
    private EphemeralChain? _ephemerals;
    private long _bytes;
    private bool _isEnded;

    /// <summary>For how long it keeps an event, or <see cref="Timeout.InfiniteTimeSpan"/>.</summary>
    public TimeSpan MaxAge => retention.MaxAge;

    protected Lock Gate { get; } = new();

    /// <summary>The newest position. Read under the gate.</summary>
    protected long Head { get; private set; }

    /// <summary>The position before the earliest event that is kept. Read under the gate.</summary>
    protected long Base { get; private set; }

    /// <summary>
    /// Whether the newest event is the last that there will be. Looked at before the events are: who has found none after the end was there
    /// has read it.
    /// </summary>
    public bool IsEnded
    {
        get => Volatile.Read(ref _isEnded);
        protected set => Volatile.Write(ref _isEnded, value);
    }

    /// <summary>Whether everything is kept, whatever the retention. Under the gate.</summary>
    protected bool KeepsAll { get; set; }

    /// <summary>The events that are not kept; null as long as there were none.</summary>
    public EphemeralChain? Ephemerals => Volatile.Read(ref _ephemerals);

    /// <summary>Counts how often the log broke off and began anew behind a break.</summary>
    public int Breaks { get; private set; }

    /// <summary>Whether an id follows from its position, so that nobody has to remember it.</summary>
    public virtual bool ComputesIds => false;

    /// <summary>The id of a position that is kept. Called under the gate, or for a place that a cursor without an id of its own has been at.</summary>
    public abstract string IdOf(long position);

    /// <summary>The place behind the event with this id.</summary>
    public TopicLookup Find(string id, out LogPlace place)
    {
        lock (Gate)
        {
            DropAged();
            var found = FindPosition(id, out var position);
            place = new LogPlace(position, id, Breaks);
            return found;
        }
    }

    /// <summary>The place behind the newest event.</summary>
    public LogPlace Newest()
    {
        lock (Gate)
        {
            return new LogPlace(Head, IdOf(Head), Breaks);
        }
    }

    /// <summary>The place before the earliest event that is kept.</summary>
    public LogPlace Earliest()
    {
        lock (Gate)
        {
            DropAged();
            return new LogPlace(Base, IdOf(Base), Breaks);
        }
    }

    /// <summary>Lets go of what is too old, which nobody may have asked for since.</summary>
    public void TrimByAge()
    {
        lock (Gate)
        {
            DropAged();
        }
    }

    /// <summary>Whether so much is kept at once.</summary>
    protected bool Holds(int events, long bytes) => events <= retention.MaxEvents && bytes <= retention.MaxBytes;

    /// <summary>Finds the frame after a position: false when it has been trimmed; a null segment when there is none yet.</summary>
    public bool TryLocate(long position, out LogSegment? segment, out int index)
    {
        lock (Gate)
        {
            segment = null;
            index = 0;
            if (position < Base)
            {
                return false;
            }

            if (position < Head)
            {
                segment = SegmentOf(position + 1);
                index = (int)(position + 1 - segment.First);
            }

            return true;
        }
    }

    /// <summary>The last event that is not kept, where who begins to listen now begins.</summary>
    public EphemeralFrame? NewestEphemeral()
    {
        lock (Gate)
        {
            return _ephemerals?.Last;
        }
    }

    /// <summary>Hands an event to whoever reads now, behind what they have not read yet.</summary>
    public void AddEphemeral(ReadOnlySpan<byte> body, string? eventType, string? key)
    {
        var frame = new byte[body.Length + 1];
        body.CopyTo(frame);
        frame[^1] = (byte)'\n';
        WaiterQueue.Batch waiting;
        lock (Gate)
        {
            var ephemeral = new EphemeralFrame(frame, Head, new SseTopicEvent { EventType = eventType ?? "", Key = key });
            if (_ephemerals is null)
            {
                Volatile.Write(ref _ephemerals, new EphemeralChain(ephemeral));
            }
            else
            {
                _ephemerals.Add(ephemeral);
            }

            waiting = _waiting.TakeAll();
        }

        waiting.Wake();
    }

    /// <summary>
    /// Queues a reader at a position to be woken by the next event; false when there is something for it at once. It has heard
    /// <paramref name="heard"/> of the events that are not kept; who does not listen for those gives <see cref="NewestEphemeral"/>.
    /// </summary>
    public bool TryWait(LogWaiter waiter, long position, EphemeralFrame? heard)
    {
        lock (Gate)
        {
            if (position != Head || heard != _ephemerals?.Last)
            {
                return false;
            }

            if (IsEnded)
            {
                return false;
            }

            _waiting.Add(waiter);
            return true;
        }
    }

    public void StopWaiting(LogWaiter waiter)
    {
        lock (Gate)
        {
            _waiting.Remove(waiter);
        }
    }

    /// <summary>Adds a frame. Under the gate; what it returns is to be woken outside.</summary>
    protected WaiterQueue.Batch Append(ReadOnlySpan<byte> body, string id, string? storedId, string? eventType, string? key, TimeSpan age = default)
    {
        var at = retention.MaxAge == Timeout.InfiniteTimeSpan ? 0 : LogClock.Ago(age, LogClock.Now(time));
        var last = _segments.Count == 0 ? null : _segments[^1];
        if (last is null || !last.TryAppend(body, id, storedId, eventType, key, at))
        {
            var length = LogSegment.FrameLength(body.Length, id);
            var capacity = Math.Max(length, Math.Clamp((last?.Capacity ?? 0) * 2, SmallestSegment, LargestSegment));
            var next = new LogSegment(Head + 1, capacity);
            next.TryAppend(body, id, storedId, eventType, key, at);
            _segments.Add(next);
            if (last is not null)
            {
                // Only now, when it can be read: who follows Next takes it that this segment is full.
                last.Next = next;
            }
        }

        Head++;
        var newest = _segments[^1];
        _bytes += newest.Entry(newest.Count - 1).Size;

        if (KeepsAll)
        {
            return _waiting.TakeAll();
        }

        // The newest event stays, however large.
        while (Base < Head - 1 && (Head - Base > retention.MaxEvents || _bytes > retention.MaxBytes))
        {
            TrimOne();
        }

        DropAged();
        return _waiting.TakeAll();
    }

    /// <summary>
    /// Breaks off: what was there is gone, and the next event does not continue it. Every reader finds itself lapped. Under the gate.
    /// </summary>
    protected WaiterQueue.Batch Break()
    {
        while (Base < Head)
        {
            TrimOne();
        }

        // One number is left out, so that a reader at the old head is behind the new base.
        Head++;
        Base = Head;
        Breaks++;
        IsEnded = false;
        return _waiting.TakeAll();
    }

    /// <summary>Trims what is too old, to the last event if need be: whoever looks for a place is not to find it. Under the gate.</summary>
    protected void DropAged()
    {
        if (KeepsAll || retention.MaxAge == Timeout.InfiniteTimeSpan || Base == Head)
        {
            return;
        }

        var now = LogClock.Now(time);
        while (Base < Head && LogClock.IsPast(_segments[0].Entry((int)(Base + 1 - _segments[0].First)).At, retention.MaxAge, now))
        {
            TrimOne();
        }
    }

    /// <summary>Called under the gate with each event that is trimmed, oldest first.</summary>
    protected virtual void OnTrimmed(LogEntry entry)
    {
    }

    /// <summary>The position of an id. Called under the gate.</summary>
    protected abstract TopicLookup FindPosition(string id, out long position);

    protected LogSegment SegmentOf(long sequence)
    {
        int low = 0, high = _segments.Count - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = _segments[middle].First <= sequence ? (middle, high) : (low, middle - 1);
        }

        return _segments[low];
    }

    private void TrimOne()
    {
        var segment = _segments[0];
        var entry = segment.Entry((int)(Base + 1 - segment.First));
        Base++;
        _bytes -= entry.Size;
        OnTrimmed(entry);
        if (Base == segment.First + segment.Count - 1)
        {
            segment.Trim();
            _segments.RemoveAt(0);
        }
    }
}
