namespace SseKit.Topics;

/// <summary>
/// The newest events of a topic that are not kept, for the moment that readers need to come by. A reader remembers the one that it heard last;
/// one that is slower than the chain is short misses what was dropped meanwhile. Written under the log's gate, read without a lock.
/// </summary>
internal sealed class EphemeralChain(EphemeralFrame first)
{
    public const int MostFrames = 64;
    private const int MostBytes = 64 * 1024;

    private EphemeralFrame _first = first;
    private int _count = 1;
    private int _bytes = first.Frame.Length;

    /// <summary>The newest. Read under the log's gate.</summary>
    public EphemeralFrame Last { get; private set; } = first;

    public void Add(EphemeralFrame frame)
    {
        _count++;
        _bytes += frame.Frame.Length;
        var last = Last;
        Last = frame;
        last.Next = frame;

        // The newest stays, however large.
        while ((_count > MostFrames || _bytes > MostBytes) && _first != frame)
        {
            var dropped = _first;
            _count--;
            _bytes -= dropped.Frame.Length;
            Volatile.Write(ref _first, dropped.Next!);
            dropped.Drop();
        }
    }

    /// <summary>The one to hear after <paramref name="heard"/>, or the first that is left where that was dropped; null when there is none.</summary>
    public EphemeralFrame? After(EphemeralFrame? heard) =>
        heard is null ? Volatile.Read(ref _first) : heard.Next ?? (heard.Dropped ? Volatile.Read(ref _first) : null);
}
