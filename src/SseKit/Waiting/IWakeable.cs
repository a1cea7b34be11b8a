namespace SseKit.Waiting;

/// <summary>Someone who waits for something, and looks for it again when woken. Woken from any thread, now and then for nothing.</summary>
internal interface IWakeable
{
    /// <summary>Wakes it.</summary>
    /// <param name="inline">Let it go on here and now.</param>
    void Wake(bool inline);

    /// <summary>Wakes it here and now.</summary>
    void GoOn() => Wake(inline: true);

    /// <summary>Looks at the memory that it will need once it is woken, so that the processor has it by then.</summary>
    void Prefetch()
    {
    }
}
