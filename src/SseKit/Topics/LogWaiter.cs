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

    /// <summary>Wakes it.</summary>
    /// <param name="inline">Let it go on here and now.</param>
    public void Wake(bool inline = false) => _signal.Set(inline);

    protected ValueTask SleepAsync() => _signal.WaitAsync();

    protected void SetCancelled() => Volatile.Write(ref _cancelled, true);
}
