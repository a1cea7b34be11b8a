namespace SseKit.Topics;

/// <summary>A subscriber's hold on a topic of this node: the log is kept, and kept filled, until it is disposed of.</summary>
/// <param name="log">The log.</param>
/// <param name="release">Gives the hold back.</param>
/// <param name="nudge">Asks for the log to be brought up to date with its store; null where the log is the store.</param>
internal readonly struct TopicLease(TopicLog log, Action<TopicLog> release, Action? nudge = null) : IDisposable
{
    public TopicLog Log => log;

    public void Nudge() => nudge?.Invoke();

    public void Dispose() => release(log);
}
