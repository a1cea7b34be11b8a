using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>Frames that are encoded already, as many at a time as lie together.</summary>
internal sealed class TopicFrames(IAsyncEnumerable<ReadOnlyMemory<byte>> frames, CancellationToken cancellationToken)
    : ItemSource<ReadOnlyMemory<byte>>(frames, cancellationToken)
{
    public new ReadOnlyMemory<byte> Current => base.Current;

    public override int Events => EventFrame.Count(Current.Span);

    public override void Write(FrameBuffer buffer) => buffer.Write(Current.Span);

    public override bool IsTransient(Exception exception) => exception is BacklogException;
}
