using SseKit.Topics;
using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>Frames of a topic whose client is told, with its keep-alives, how far the topic has gone without an event for it.</summary>
internal sealed class CheckpointedFrames(SseTopics topics, TopicRequest request, CancellationToken cancellationToken)
    : TopicFrames(topics.ReadFramesAsync(request, cancellationToken), cancellationToken)
{
    private readonly Selection _selection = request.Selection!;

    public override void Write(FrameBuffer buffer)
    {
        _selection.Forget(Current.Span);
        base.Write(buffer);
    }

    public override void WriteKeepAlive(FrameBuffer buffer)
    {
        if (!_selection.TryWriteCheckpoint(buffer))
        {
            base.WriteKeepAlive(buffer);
        }
    }
}
