namespace SseKit.Streaming;

/// <summary>
/// One timer for all streams with the same keep-alive interval: a wheel of slots, one turn an interval. Events do not touch it. When a
/// stream's slot comes up, it is either silent since it was put there, and due, or it is put where its last write says.
/// </summary>
/// <remarks>
/// Streams that were written to at the same moment would all fall due at the same moment, and a keep-alive to all of them at once leaves a
/// block of the server's memory pool with each, for good. So a slot takes no more than its share, and the rest goes into earlier ones: up to
/// half an interval early, never late, since it is the silence that proxies count.
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
            for (var steps = 0; _turned < now && steps < _slots.Length; steps++)
            {
                Serve((int)(++_turned % _slots.Length));
            }

            _turned = Math.Max(_turned, now);
        }
    }

    private void Serve(int slot)
    {
        var member = _slots[slot];
        while (member is not null)
        {
            var next = member.Link.Next;
            var silent = member.LastWrite == member.PlannedFrom || DueTick(member.LastWrite) <= _turned;
            Unlink(member);
            if (silent)
            {
                member.KeepAliveDue();

                // The keep-alive is written a moment from now, so it is due again after one turn.
                Link(member, SlotFor(_turned + _slots.Length - 1));
            }
            else
            {
                Plan(member);
            }

            member = next;
        }
    }

    private void Plan(KeepAliveMember member)
    {
        member.PlannedFrom = member.LastWrite;
        Link(member, SlotFor(Math.Clamp(DueTick(member.PlannedFrom), _turned + 1, _turned + _slots.Length - 1)));
    }

    // Rounded down: a tick early, not a tick late.
    private long DueTick(long lastWrite) => (lastWrite + _interval - _started) / _tick;

    private int SlotFor(long due)
    {
        var share = Math.Max(SmallestShare, 3 * _members / _slots.Length);
        var earliest = Math.Max(_turned + 1, due - (_slots.Length / 2));
        var emptiest = (int)(due % _slots.Length);
        for (var candidate = due; candidate >= earliest; candidate--)
        {
            var slot = (int)(candidate % _slots.Length);
            if (_counts[slot] < share)
            {
                return slot;
            }

            if (_counts[slot] < _counts[emptiest])
            {
                emptiest = slot;
            }
        }

        // All have their share when everybody was written to at once and is put off at once.
        return emptiest;
    }

    private void Link(KeepAliveMember member, int slot)
    {
        var first = _slots[slot];
        member.Link = (slot, null, first);
        if (first is not null)
        {
            first.Link.Previous = member;
        }

        _slots[slot] = member;
        _counts[slot]++;
    }

    private void Unlink(KeepAliveMember member)
    {
        var (slot, previous, next) = member.Link;
        if (previous is null)
        {
            _slots[slot] = next;
        }
        else
        {
            previous.Link.Next = next;
        }

        if (next is not null)
        {
            next.Link.Previous = previous;
        }

        _counts[slot]--;
    }
}
