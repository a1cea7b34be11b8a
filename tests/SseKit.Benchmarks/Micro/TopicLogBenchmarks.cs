using BenchmarkDotNet.Attributes;
using SseKit.Topics;

namespace SseKit.Benchmarks.Micro;

/// <summary>A topic's ring: what a publish costs it, a resume's look for its place, and the replay of 10,000 events.</summary>
[MemoryDiagnoser]
public class TopicLogBenchmarks
{
    private const int Replayed = 10_000;
    private readonly byte[] _body = System.Text.Encoding.UTF8.GetBytes($"data: {Content.FanOut(1, 1)}\n");
    private readonly byte[] _target = new byte[64 * 1024];
    private MemoryTopic _log = null!;
    private string _id = "";

    [Params(1_000, 100_000)]
    public int Ring { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _log = new MemoryTopic("news", new TopicRetention(Ring, 1L << 30, Timeout.InfiniteTimeSpan), TimeProvider.System);
        for (var i = 0; i < Ring * 2; i++)
        {
            var id = _log.Append(_body, eventType: null);
            _id = i == (Ring * 2) - Math.Min(Ring, Replayed) ? id : _id;
        }
    }

    [Benchmark]
    public string Append() => _log.Append(_body, eventType: null);

    [Benchmark]
    public object Find_the_place()
    {
        _log.Find(_id, out var place);
        return _log.TryLocate(place.Position, out var segment, out _) ? segment! : _id;
    }

    [Benchmark]
    public int Replay_of_what_follows_up_to_10_000_events()
    {
        _log.Find(_id, out var place);
        var cursor = new LogCursor(_log);
        cursor.MoveTo(place);
        var bytes = 0;
        while (cursor.Read(out var frames) == CursorRead.Frames)
        {
            frames.Span.CopyTo(_target);
            bytes += frames.Length;
        }

        return bytes;
    }
}
