using Microsoft.Extensions.Time.Testing;
using SseKit.Streaming;

namespace SseKit.Tests.Streaming;

public class KeepAliveWheelTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(16);

    private readonly FakeTimeProvider _time = new();

    // A sixty-fourth of the interval.
    private static TimeSpan Tick => TimeSpan.FromMilliseconds(250);

    [Fact]
    public void A_lone_stream_is_due_at_the_interval_exactly_and_again_after_each()
    {
        var wheel = new KeepAliveWheel(Interval, _time);
        var member = new Member(_time);
        wheel.Add(member);
        for (var tick = 0; tick < 64 * 10; tick++)
        {
            _time.Advance(Tick);
        }

        Assert.Equal(Enumerable.Range(1, 10).Select(turn => turn * Interval), member.Due);
    }

    [Fact]
    public void Events_put_it_off()
    {
        var wheel = new KeepAliveWheel(Interval, _time);
        var member = new Member(_time);
        wheel.Add(member);
        for (var second = 0; second < 60; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            member.Write();
        }

        Assert.Empty(member.Due);
        _time.Advance(Interval);
        Assert.Equal([TimeSpan.FromSeconds(60) + Interval], member.Due);
    }

    [Fact]
    public void A_thousand_that_are_due_at_once_are_spread_and_none_is_late()
    {
        var wheel = new KeepAliveWheel(Interval, _time);
        var members = Enumerable.Range(0, 1000).Select(_ => new Member(_time)).ToList();
        members.ForEach(wheel.Add);
        Turn(times: 4);

        foreach (var member in members)
        {
            var last = TimeSpan.Zero;
            foreach (var due in member.Due)
            {
                Assert.InRange(due - last, Interval / 2, Interval);
                last = due;
            }

            Assert.InRange((4 * Interval) - last, TimeSpan.Zero, Interval);
        }

        // An even spread over half a turn would be 32 a tick.
        Assert.InRange(MostInATick(members), 1, 50);
    }

    [Fact]
    public void One_write_to_all_of_them_does_not_bunch_them_up_again()
    {
        var wheel = new KeepAliveWheel(Interval, _time);
        var members = Enumerable.Range(0, 1000).Select(_ => new Member(_time)).ToList();
        members.ForEach(wheel.Add);
        _time.Advance(Interval / 4);
        members.ForEach(member => member.Write());
        var written = Interval / 4;
        Turn(times: 2);

        Assert.All(members, member => Assert.InRange(member.Due[0] - written, Interval / 2, Interval));
        Assert.InRange(MostInATick(members), 1, 64);
    }

    // As when they connect: the headers go out a moment after the clock knows of the stream.
    [Fact]
    public void A_write_to_each_a_moment_after_it_came_does_not_bunch_them_up_again()
    {
        var wheel = new KeepAliveWheel(Interval, _time);
        var members = Enumerable.Range(0, 1000).Select(_ => new Member(_time)).ToList();
        foreach (var member in members)
        {
            member.Write();
            wheel.Add(member);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            member.Write();
        }

        Turn(times: 3);

        Assert.All(members, member => Assert.InRange(member.LongestSilence, TimeSpan.Zero, Interval));
        Assert.InRange(MostInATick(members), 1, 50);
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 50)]
    [InlineData(3, 500)]
    public void Whatever_comes_writes_and_goes_no_silence_is_longer_than_the_interval(int seed, int most)
    {
        var random = new Random(seed);
        var wheel = new KeepAliveWheel(Interval, _time);
        var members = new List<Member> { new(_time) };
        wheel.Add(members[0]);
        var elapsed = TimeSpan.Zero;
        for (var step = 0; step < 64 * 20; step++)
        {
            for (var n = random.Next(most); n > 0 && members.Count < most; n--)
            {
                members.Add(new Member(_time));
                wheel.Add(members[^1]);
            }

            // At any moment between two ticks; the ticks themselves on time.
            var next = elapsed + TimeSpan.FromMilliseconds(random.Next(1, 250));
            var tick = ((int)(elapsed / Tick) + 1) * Tick;
            if (tick < next)
            {
                _time.Advance(tick - elapsed);
                elapsed = tick;
            }

            _time.Advance(next - elapsed);
            elapsed = next;
            foreach (var member in members.Where(_ => random.Next(20) == 0).ToList())
            {
                if (random.Next(10) == 0 && members.Count > 1)
                {
                    wheel.Remove(member);
                    members.Remove(member);
                }
                else
                {
                    member.Write();
                }
            }

            Assert.All(members, member => Assert.InRange(member.LongestSilence, TimeSpan.Zero, Interval));
            Assert.All(members, member => Assert.InRange(member.ShortestSilenceThatWasDue, (Interval / 2) - Tick, Interval));
        }

        Assert.Equal(members.Count, wheel.Members().Count);
    }

    [Fact]
    public void A_timer_that_fires_late_serves_all_that_it_missed()
    {
        var time = new LateTime();
        var wheel = new KeepAliveWheel(Interval, time);
        var members = new List<Member>();
        for (var tick = 1; tick <= 30; tick++)
        {
            time.Elapsed = tick * Tick;
            members.Add(new Member(time));
            wheel.Add(members[^1]);
        }

        time.Elapsed = 150 * Tick;
        time.Fire();

        Assert.All(members, member => Assert.NotEmpty(member.Due));
    }

    // The clock's timer may wait for a thread for longer than the interval while streams go on in others.
    [Fact]
    public void Who_was_written_to_while_the_timer_was_late_by_more_than_a_turn_is_not_passed_over()
    {
        var time = new LateTime();
        var wheel = new KeepAliveWheel(Interval, time);
        var member = new Member(time);
        wheel.Add(member);
        time.Elapsed = 10 * Tick;
        time.Fire();
        time.Elapsed = 100 * Tick;
        member.Write();
        Assert.Empty(member.Due);

        time.Elapsed = 210 * Tick;
        time.Fire();

        Assert.Equal([210 * Tick], member.Due);
    }

    [Fact]
    public void Who_has_left_is_not_called_any_more()
    {
        // A call that is under way holds the wheel, and leaving waits for it: after Remove there is none.
        var wheel = new KeepAliveWheel(Interval, _time);
        var stays = new Member(_time);
        var leaves = new Member(_time);
        wheel.Add(stays);
        wheel.Add(leaves);
        _time.Advance(Interval);
        wheel.Remove(leaves);
        _time.Advance(Interval);
        _time.Advance(Interval);

        Assert.Single(leaves.Due);
        Assert.Equal(3, stays.Due.Count);
        Assert.Equal([stays], wheel.Members());

        // It may be held for long by a source that does not end.
        Assert.Null(leaves.Next);
        Assert.Null(leaves.Previous);
    }

    [Fact]
    public async Task Coming_and_going_on_many_threads_leaves_no_timer_and_no_wheel()
    {
        var time = new CountingTime(TimeProvider.System);
        var clock = new KeepAliveClock(time);
        TimeSpan[] intervals = [TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(150), TimeSpan.FromSeconds(15)];
        await Task.WhenAll(Enumerable.Range(0, 8).Select(thread => Task.Run(() =>
        {
            var random = new Random(thread);
            var inside = new List<(Member Member, TimeSpan Interval)>();
            for (var step = 0; step < 20_000; step++)
            {
                if (inside.Count < 20 && random.Next(2) == 0)
                {
                    var member = new Member(TimeProvider.System);
                    var interval = intervals[random.Next(3)];
                    clock.Add(member, interval);
                    inside.Add((member, interval));
                }
                else if (inside.Count > 0)
                {
                    var at = random.Next(inside.Count);
                    inside[at].Member.Write();
                    clock.Remove(inside[at].Member, inside[at].Interval);
                    Assert.True(inside[at].Member.Leave());
                    inside.RemoveAt(at);
                }
            }

            foreach (var (member, interval) in inside)
            {
                clock.Remove(member, interval);
                Assert.True(member.Leave());
            }
        }))).Soon();

        Assert.Empty(clock.Wheels());
        Assert.Equal(0, time.Active);
    }

    private static int MostInATick(List<Member> members) =>
        members.SelectMany(member => member.Due).GroupBy(due => (int)(due / Tick)).Max(group => group.Count());

    private void Turn(int times)
    {
        for (var tick = 0; tick < 64 * times; tick++)
        {
            _time.Advance(Tick);
        }
    }

    /// <summary>A time whose timer fires when it is told to.</summary>
    private sealed class LateTime : TimeProvider, ITimer
    {
        private Action _fire = () => { };

        public TimeSpan Elapsed { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Elapsed.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _fire = () => callback(state);
            return this;
        }

        public void Fire() => _fire();

        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => default;
    }

    private sealed class Member : KeepAliveMember
    {
        private readonly TimeProvider _time;
        private readonly long _started;
        private TimeSpan _longest;
        private volatile bool _left;
        private volatile bool _calledAfter;

        public Member(TimeProvider time)
        {
            _time = time;
            _started = LastWrite = time.GetTimestamp();
        }

        public List<TimeSpan> Due { get; } = [];

        public TimeSpan LongestSilence => TimeSpan.FromTicks(Math.Max(_longest.Ticks, Silence.Ticks));

        public TimeSpan ShortestSilenceThatWasDue { get; private set; } = Interval;

        private TimeSpan Silence => _time.GetElapsedTime(LastWrite);

        public void Write()
        {
            _longest = LongestSilence;
            LastWrite = _time.GetTimestamp();
        }

        /// <summary>Says that it is out; false if it had been called after that.</summary>
        public bool Leave()
        {
            _left = true;
            return !_calledAfter;
        }

        public override void KeepAliveDue()
        {
            _calledAfter |= _left;
            Due.Add(_time.GetElapsedTime(_started));
            ShortestSilenceThatWasDue = TimeSpan.FromTicks(Math.Min(ShortestSilenceThatWasDue.Ticks, Silence.Ticks));
            Write();
        }
    }
}
