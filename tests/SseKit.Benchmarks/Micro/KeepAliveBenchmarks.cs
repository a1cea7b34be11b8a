using BenchmarkDotNet.Attributes;
using SseKit.Streaming;

namespace SseKit.Benchmarks.Micro;

/// <summary>The keep-alive clock without the writes that it sets off: its timer is turned by hand.</summary>
[MemoryDiagnoser]
public class KeepAliveBenchmarks
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);
    private readonly HandTurnedTime _time = new();
    private Member[] _members = [];
    private KeepAliveWheel _wheel = null!;
    private Member _guest = null!;

    [Params(1_000, 10_000)]
    public int Streams { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _wheel = new KeepAliveWheel(Interval, _time);
        _members = [.. Enumerable.Range(0, Streams).Select(_ => new Member(_time))];
        _guest = new Member(_time);
        foreach (var member in _members)
        {
            _wheel.Add(member);
        }
    }

    /// <summary>An interval in which each stream gets one keep-alive.</summary>
    [Benchmark]
    public long One_interval_of_silence()
    {
        for (var tick = 0; tick < 64; tick++)
        {
            _time.Turn(Interval / 64);
        }

        return _members[0].KeepAlives;
    }

    [Benchmark]
    public void A_stream_comes_and_goes()
    {
        _wheel.Add(_guest);
        _wheel.Remove(_guest);
    }

    private sealed class Member : KeepAliveMember
    {
        private readonly TimeProvider _time;

        public Member(TimeProvider time)
        {
            _time = time;
            LastWrite = time.GetTimestamp();
        }

        public long KeepAlives { get; private set; }

        public override void KeepAliveDue()
        {
            KeepAlives++;
            LastWrite = _time.GetTimestamp();
        }
    }

    private sealed class HandTurnedTime : TimeProvider
    {
        private long _now;
        private Action _turn = () => { };

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _turn = () => callback(state);
            return new NoTimer();
        }

        public void Turn(TimeSpan by)
        {
            _now += by.Ticks;
            _turn();
        }

        private sealed class NoTimer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => default;
        }
    }
}
