using System.Runtime.CompilerServices;

namespace SseKit.Waiting;

/// <summary>The wait for a signal, to be awaited at once.</summary>
internal readonly struct SignalWait(ISignalled owner) : ICriticalNotifyCompletion
{
    /// <summary>Whether there was a signal, which is taken by asking.</summary>
    public bool IsCompleted => owner.Signal.TryTake();

    public SignalWait GetAwaiter() => this;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => owner.Signal.Wait(continuation, owner);
}
