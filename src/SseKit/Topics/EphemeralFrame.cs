namespace SseKit.Topics;

/// <summary>An event that is not kept, whole and without an id, and a link to the one that came after it.</summary>
/// <param name="frame">The frame.</param>
/// <param name="after">The newest position of the log when it came: a reader that has got there is to hear it before it goes on.</param>
/// <param name="about">What filters see of it.</param>
internal sealed class EphemeralFrame(ReadOnlyMemory<byte> frame, long after, SseTopicEvent about)
{
    private EphemeralFrame? _next;
    private bool _dropped;

    public ReadOnlyMemory<byte> Frame => frame;

    public long After => after;

    public SseTopicEvent About => about;

    /// <summary>The one after it. Cut when this one is dropped: else a reader that stalls here would keep everything after it in memory.</summary>
    public EphemeralFrame? Next
    {
        get => Volatile.Read(ref _next);
        set => Volatile.Write(ref _next, value);
    }

    public bool Dropped => Volatile.Read(ref _dropped);

    public void Drop()
    {
        // In this order: who finds no next one then looks whether it was cut off.
        Volatile.Write(ref _dropped, true);
        Next = null;
    }
}
