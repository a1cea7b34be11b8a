namespace SseKit.Topics;

/// <summary>Encoded events that lie back to back, and what is known of each without decoding it.</summary>
internal interface IFrameRun
{
    SseTopicEvent About(int index);

    /// <summary>The frames from <paramref name="from"/> up to <paramref name="to"/> (exclusive).</summary>
    ReadOnlyMemory<byte> Frames(int from, int to);
}
