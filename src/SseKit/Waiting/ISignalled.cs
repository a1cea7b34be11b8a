namespace SseKit.Waiting;

/// <summary>Who has an <see cref="AsyncSignalCore"/> as a field.</summary>
internal interface ISignalled : IThreadPoolWorkItem
{
    ref AsyncSignalCore Signal { get; }

    void IThreadPoolWorkItem.Execute() => Signal.RunQueued();
}
