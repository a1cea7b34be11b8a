using System.Threading.Tasks.Sources;

namespace SseKit.Waiting;

/// <summary>An <see cref="AsyncSignalCore"/> by itself.</summary>
internal sealed class AsyncSignal : IValueTaskSource, IWakeable
{
    private AsyncSignalCore _core;

    /// <summary>Waits for the next signal. One wait at a time.</summary>
    public ValueTask WaitAsync() => _core.WaitAsync(this);

    /// <summary>Wakes the waiter, or the next one to come; not here and now.</summary>
    public void Set() => _core.Set(inline: false);

    /// <summary>Wakes the waiter also when something is cancelled, until what it gives is disposed of.</summary>
    public CancellationTokenRegistration SetWhen(CancellationToken cancelled) =>
        cancelled.UnsafeRegister(static signal => ((AsyncSignal)signal!).Set(), this);

    void IWakeable.Wake(bool inline) => _core.Set(inline);

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
