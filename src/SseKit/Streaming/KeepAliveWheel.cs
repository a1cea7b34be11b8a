namespace SseKit.Streaming;

/// <summary>
/// One timer for all streams with the same keep-alive interval: a wheel of slots, one turn an interval. Events do not touch it. When a
/// stream's slot comes up, it is either silent since it was put there, and due, or it is put where its last write says.
/// </summary>
/// <remarks>
/// Streams that were written to at the same moment would all fall due at the same moment, and a keep-alive to all of them at once leaves a
/// block of the server's memory pool with each, for good. So a slot takes no more than its share, and the rest goes into earlier ones: up to
/// half an interval early, never late, since it is the silence that proxies count. Who was put early stays as early after its next write, or
/// the headers of all, or one event to all, would undo the spread.
/// </remarks>
internal sealed class KeepAliveWheel
{
    private const int MostSlots = 64;
    private const int SmallestShare = 8;
    private static readonly TimeSpan ShortestTick = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly TimeSpan _tickLength;
    private readonly long _interval;
    private readonly long _tick;
    private readonly KeepAliveMember?[] _slots;
    private readonly int[] _counts;
    private ITimer? _timer;
    private long _started;
    private long _turned;
    private int _members;

    public KeepAliveWheel(TimeSpan interval, TimeProvider time)
    {
        _time = time;
        var slots = (int)Math.Clamp(interval / ShortestTick, 1, MostSlots);
        _tickLength = interval / slots;
        _interval = (long)(interval.TotalSeconds * time.TimestampFrequency);
        _tick = Math.Max(1, _interval / slots);

        // One more than an interval has, so that "an interval from now" is never the slot that is being served.
        _slots = new KeepAliveMember?[slots + 1];
        _counts = new int[slots + 1];
    }

    // Twice as many as in an even spread over all slots: those of half an interval can then take everybody.
    private int Share => Math.Max(SmallestShare, 5 * _members / (2 * _slots.Length));

    public bool IsEmpty
    {
        get
        {
            lock (_gate)
            {
                return _members == 0;
            }
        }
    }

    public void Add(KeepAliveMember member)
    {
        lock (_gate)
        {
            if (_members++ == 0)
            {
                _started = _time.GetTimestamp();
                _turned = 0;
                _timer = _time.CreateTimer(static wheel => ((KeepAliveWheel)wheel!).Turn(), this, _tickLength, _tickLength);
            }

            Plan(member);
        }
    }

    public void Remove(KeepAliveMember member)
    {
        lock (_gate)
        {
            Unlink(member);
            if (--_members == 0)
            {
                _timer!.Dispose();
                _timer = null;
            }
        }
    }

    private void Turn()
    {
        lock (_gate)
        {
            if (_timer is null)
            {
                return;
            }

            // A timer that fires late has several slots to serve.
            var now = (_time.GetTimestamp() - _started) / _tick;
            _turned = Math.Max(_turned, now - _slots.Length);
            while (_turned < now)
            {
                _turned++;
                Serve(_turned % _slots.Length);
            }
        }
    }

    private void Serve(long slot)
    {
        // Whoever is served goes into another slot.
        while (_slots[slot] is { } member)
        {
            Unlink(member);
            if (DueTick(member.LastWrite) - member.Early > _turned)
            {
                Plan(member);
                continue;
            }

            member.KeepAliveDue();

            // The keep-alive is written a moment from now, so it is due again after one turn.
            var due = _turned + _slots.Length - 1;
            var tick = Choose(due, early: 0);
            member.Early = Math.Max(member.Early, (int)(due - tick));
            Link(member, tick);
        }
    }

    private void Plan(KeepAliveMember member)
    {
        var due = Math.Clamp(DueTick(member.LastWrite), _turned + 1, _turned + _slots.Length - 1);
        var tick = Choose(due, member.Early);
        member.Early = (int)(due - tick);
        Link(member, tick);
    }

    // Rounded down: a tick early, not a tick late.
    private long DueTick(long lastWrite) => (lastWrite + _interval - _started) / _tick;

    private long Choose(long due, int early)
    {
        var earliest = Math.Max(_turned + 1, due - (_slots.Length / 2));
        var before = Math.Max(earliest, due - early);
        if (CountOf(due) >= SmallestShare && CountOf(before) < Share)
        {
            return before;
        }

        var emptiest = due;
        for (var tick = due; tick >= earliest; tick--)
        {
            if (CountOf(tick) < Share)
            {
                return tick;
            }

            if (CountOf(tick) < CountOf(emptiest))
            {
                emptiest = tick;
            }
        }

        // All have their share when everybody was written to at once and is put off at once.
        return emptiest;
    }

    private int CountOf(long tick) => _counts[tick % _slots.Length];

    private void Link(KeepAliveMember member, long tick)
    {
        var slot = (int)(tick % _slots.Length);
        _counts[slot]++;
        (member.Slot, member.Next) = (slot, _slots[slot]);
        if (_slots[slot] is { } next)
        {
            next.Previous = member;
        }

        _slots[slot] = member;
    }

    private void Unlink(KeepAliveMember member)
    {
        _counts[member.Slot]--;
        if (member.Previous is { } previous)
        {
            previous.Next = member.Next;
        }
        else
        {
            _slots[member.Slot] = member.Next;
        }

        if (member.Next is { } next)
        {
            next.Previous = member.Previous;
        }

        // Who has left, and is held by a source that does not end, is not to hold others.
        (member.Next, member.Previous) = (null, null);
    }
}
