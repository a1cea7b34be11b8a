namespace SseKit.Streaming;

/// <summary>A stream as the keep-alive clock knows it.</summary>
internal abstract class KeepAliveMember
{
    private long _lastWrite;

    /// <summary>The timestamp of the last write; the clock plans by it.</summary>
    public long LastWrite
    {
        get => Volatile.Read(ref _lastWrite);
        protected set => Volatile.Write(ref _lastWrite, value);
    }

    /// <summary>Where the wheel has put it; the wheel's business.</summary>
    internal (int Slot, KeepAliveMember? Previous, KeepAliveMember? Next) Link;

    /// <summary>The last write by which it was put there.</summary>
    internal long PlannedFrom;

    /// <summary>Called by the clock when the stream has been silent for the interval. Must return at once.</summary>
    public abstract void KeepAliveDue();
}
