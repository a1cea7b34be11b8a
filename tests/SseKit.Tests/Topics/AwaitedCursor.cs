using SseKit.Topics;
using SseKit.Waiting;

namespace SseKit.Tests.Topics;

/// <summary>A place in a log whose reader awaits what comes next, and may be told to leave.</summary>
internal sealed class AwaitedCursor(TopicLog log)
{
    private readonly LogCursor _cursor = new(log);
    private readonly AsyncSignal _signal = new();
    private volatile bool _left;

    public string Id => _cursor.Id;

    public void MoveTo(LogPlace place) => _cursor.MoveTo(place);

    public CursorRead Read(out ReadOnlyMemory<byte> frames) => _cursor.Read(out frames);

    public async Task WaitAsync()
    {
        if (!_left && _cursor.TryWait(_signal))
        {
            await _signal.WaitAsync();
        }
    }

    public void Leave()
    {
        _left = true;
        _cursor.StopWaiting();
        _signal.Set();
    }
}
