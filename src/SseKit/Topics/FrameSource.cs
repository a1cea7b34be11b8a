using SseKit.Waiting;
using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>What asking a source for frames gave.</summary>
internal enum SourceStep
{
    /// <summary>Nothing yet.</summary>
    Pending,

    /// <summary>Frames to write.</summary>
    Frames,

    /// <summary>Nothing, now or ever.</summary>
    Ended,
}

/// <summary>
/// Where a stream's frames come from. It is asked, and never awaited: what an idle stream would hold to await its source is a good part of what
/// it holds at all. Used by one reader, which disposes of it, but never while it <see cref="IsBusy"/>.
/// </summary>
internal abstract class FrameSource : IAsyncDisposable
{
    /// <summary>Goes on to the next frames, if they are at hand. Throws what it failed with.</summary>
    public abstract SourceStep MoveNext();

    /// <summary>
    /// After <see cref="SourceStep.Pending"/>: has the reader woken, once, when it is worth to ask again; false when it is already. While it
    /// <see cref="IsBusy"/> this may be asked again, and is still one wake-up.
    /// </summary>
    public abstract bool TryWait(IWakeable reader);

    /// <summary>Whether code of somebody else's is under way, during which there is no disposing.</summary>
    public abstract bool IsBusy { get; }

    /// <summary>How many events the frames hold that it has gone on to.</summary>
    public virtual int Events => 1;

    /// <summary>Writes the frames that it has gone on to.</summary>
    public abstract void Write(FrameBuffer buffer);

    /// <summary>Writes what shows that the connection lives, while it has nothing.</summary>
    public virtual void WriteKeepAlive(FrameBuffer buffer) => buffer.Write(":\n"u8);

    /// <summary>Whether a failure is nobody's fault at the other end, so that the client is to come back even to a stream that never began.</summary>
    public virtual bool IsTransient(Exception exception) => false;

    public abstract ValueTask DisposeAsync();
}
