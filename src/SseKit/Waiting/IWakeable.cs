namespace SseKit.Waiting;

/// <summary>Someone who waits for something, and looks for it again when woken. Woken from any thread, now and then for nothing.</summary>
internal interface IWakeable
{
    /// <summary>Wakes it.</summary>
    /// <param name="inline">Let it go on here and now.</param>
    void Wake(bool inline);
}
