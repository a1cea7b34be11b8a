using Microsoft.Extensions.Logging;
using SseKit.Waiting;

namespace SseKit.Topics;

/// <summary>The feeds of the topics that somebody on this node reads.</summary>
internal sealed class TopicFeeds(ISseBacklog backlog, SseOptions options, TimeProvider time, ILogger logger, SynchronizationContext? nobodys)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, TopicFeed> _feeds = new(StringComparer.Ordinal);

    public async ValueTask<TopicLease> OpenAsync(string topic, CancellationToken cancellationToken)
    {
        var feed = Attach(topic);
        try
        {
            return new TopicLease(await SharedTask.WaitAsync(feed.Opened, cancellationToken), _ => Detach(topic, feed), feed.Nudge);
        }
        catch
        {
            Detach(topic, feed);
            throw;
        }
    }

    /// <summary>How many subscriptions read the topic now, or are about to.</summary>
    public int CountSubscribers(string topic)
    {
        lock (_gate)
        {
            return _feeds.TryGetValue(topic, out var feed) ? feed.Readers : 0;
        }
    }

    private TopicFeed Attach(string topic)
    {
        TopicFeed? feed;
        var isNew = false;
        lock (_gate)
        {
            if (!_feeds.TryGetValue(topic, out feed) || feed.Opened.IsFaulted)
            {
                _feeds[topic] = feed = new TopicFeed(backlog, topic, options, time, logger);
                isNew = true;
            }

            feed.Readers++;
        }

        if (isNew)
        {
            feed.Start(nobodys);
        }

        return feed;
    }

    private void Detach(string topic, TopicFeed feed)
    {
        lock (_gate)
        {
            if (--feed.Readers > 0)
            {
                return;
            }

            if (_feeds.TryGetValue(topic, out var current) && current == feed)
            {
                _feeds.Remove(topic);
            }
        }

        feed.Stop();
    }
}
