using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>Where a stream's frames come from. Used by the stream's loop alone; <see cref="DisposeAsync"/> never while a step is pending.</summary>
internal abstract class FrameSource : IAsyncDisposable
{
    /// <summary>Goes on to the next frames; false at the end.</summary>
    public abstract ValueTask<bool> MoveNextAsync();

    /// <summary>How many events the frames hold that it has gone on to.</summary>
    public virtual int Events => 1;

    /// <summary>Writes the frames that it has gone on to.</summary>
    public abstract void Write(FrameBuffer buffer);

    /// <summary>Writes what shows that the connection lives, while a step is pending.</summary>
    public virtual void WriteKeepAlive(FrameBuffer buffer) => buffer.Write(":\n"u8);

    /// <summary>Whether a failure is nobody's fault at the other end, so that the client is to come back even to a stream that never began.</summary>
    public virtual bool IsTransient(Exception exception) => false;

    public abstract ValueTask DisposeAsync();
}
