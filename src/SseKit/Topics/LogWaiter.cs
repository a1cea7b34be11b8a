using SseKit.Waiting;

namespace SseKit.Topics;

/// <summary>Someone who waits for a log to grow. Woken and cancelled from any thread.</summary>
internal abstract class LogWaiter
{
    private readonly AsyncSignal _signal = new();
    private bool _cancelled;

    public bool Cancelled => Volatile.Read(ref _cancelled);

    /// <summary>Where it stands in the queue; the queue's business.</summary>
    internal (long Round, int Place) Queued { get; set; } = (-1, 0);

    public void Wake() => _signal.Set();

    protected ValueTask SleepAsync() => _signal.WaitAsync();

    protected void SetCancelled() => Volatile.Write(ref _cancelled, true);
}
