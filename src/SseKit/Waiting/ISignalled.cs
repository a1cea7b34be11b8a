using System.Threading.Tasks.Sources;

namespace SseKit.Waiting;

/// <summary>
/// Who has an <see cref="AsyncSignalCore"/> as a field: to be awaited through a <see cref="ValueTask"/> made anew for each wait, and at once.
/// </summary>
/// <remarks>
/// A value task and no awaiter of our own: for one that it knows, the compiler's state machine needs no delegate, which every idle stream would
/// hold on to.
/// </remarks>
internal interface ISignalled : IThreadPoolWorkItem, IValueTaskSource
{
    ref AsyncSignalCore Signal { get; }

    void IThreadPoolWorkItem.Execute() => Signal.Run();

    // A signal is taken by asking.
    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => Signal.TryTake() ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Pending;

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        Signal.Wait(continuation, state, this);

    void IValueTaskSource.GetResult(short token)
    {
    }
}
