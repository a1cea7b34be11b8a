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
    internal int Slot;

    /// <summary>Who is in the same slot behind it; the wheel's business.</summary>
    internal KeepAliveMember? Next;

    /// <summary>Who is in the same slot before it; the wheel's business.</summary>
    internal KeepAliveMember? Previous;

    /// <summary>By how many ticks it was put there too early; the wheel's business.</summary>
    internal int Early;

    /// <summary>Called by the clock when the stream has been silent for the interval. Must return at once.</summary>
    public abstract void KeepAliveDue();
}
