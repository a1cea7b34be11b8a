using SseKit.Waiting;

namespace SseKit.Topics;

/// <summary>A place in the queue of those who wait for a log to grow, and whom it wakes. Woken from any thread.</summary>
internal abstract class LogWaiter
{
    private IWakeable? _reader;

    /// <summary>Where it stands in the queue; the queue's business.</summary>
    internal (long Round, int Place) Queued { get; set; } = (-1, 0);

    /// <summary>Wakes the reader.</summary>
    /// <param name="inline">Let it go on here and now.</param>
    public void Wake(bool inline) => _reader!.Wake(inline);

    /// <summary>Looks at this object's memory, so that the processor has it when it comes to the reader's.</summary>
    public void Prefetch() => Volatile.Read(ref _reader);

    /// <summary>Looks at the reader's memory.</summary>
    public void PrefetchReader() => _reader!.Prefetch();

    /// <summary>Says whom to wake, before it stands in the queue.</summary>
    protected void WakeFor(IWakeable reader) => _reader = reader;
}
