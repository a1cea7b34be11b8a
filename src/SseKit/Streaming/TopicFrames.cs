using SseKit.Topics;
using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>The door from topics to streams: frames that are encoded already, as many at a time as lie together.</summary>
internal class TopicFrames(IAsyncEnumerable<ReadOnlyMemory<byte>> frames, CancellationToken cancellationToken)
    : ItemSource<ReadOnlyMemory<byte>>(frames, cancellationToken)
{
    public override int Events => EventFrame.Count(Current.Span);

    public override void Write(FrameBuffer buffer) => buffer.Write(Current.Span);

    public override bool IsTransient(Exception exception) => exception is BacklogException;
}
