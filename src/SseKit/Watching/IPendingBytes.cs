namespace SseKit.Watching;

/// <summary>Bytes that the app wrote before those that it writes now, another way, and that must leave first.</summary>
internal interface IPendingBytes
{
    /// <summary>Whether there are any.</summary>
    bool HasPending { get; }

    /// <summary>All of them; they count as sent, and stay where they are until <see cref="Sent"/> says that they were.</summary>
    ReadOnlyMemory<byte> Take();

    /// <summary>Says that what was taken has been sent.</summary>
    void Sent();
}
