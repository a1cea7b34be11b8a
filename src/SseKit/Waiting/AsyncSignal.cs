namespace SseKit.Waiting;

/// <summary>An <see cref="AsyncSignalCore"/> by itself.</summary>
internal sealed class AsyncSignal : ISignalled, IWakeable
{
    private AsyncSignalCore _core;

    ref AsyncSignalCore ISignalled.Signal => ref _core;

    /// <summary>Waits for the next signal. One wait at a time.</summary>
    public ValueTask WaitAsync() => new(this, token: 0);

    /// <summary>Wakes the waiter, or the next one to come; not here and now.</summary>
    public void Set() => _core.Set(inline: false, this);

    /// <summary>Wakes the waiter also when something is cancelled, until what it gives is disposed of.</summary>
    public CancellationTokenRegistration SetWhen(CancellationToken cancelled) =>
        cancelled.UnsafeRegister(static signal => ((AsyncSignal)signal!).Set(), this);

    void IWakeable.Wake(bool inline) => _core.Set(inline, this);
}
