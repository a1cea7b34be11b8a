using StackExchange.Redis;

namespace SseKit;

/// <summary>How topics are kept in Redis; see <c>AddStackExchangeRedis</c>. Each setting is checked when the app starts.</summary>
public sealed class SseRedisOptions
{
    /// <summary>
    /// Where Redis is. Connected to by SseKit, with <c>AbortOnConnectFail</c> off and <c>BacklogPolicy.FailFast</c>, so that the app starts
    /// without Redis and publishing fails at once while Redis is away. Default null; set this or <see cref="Connect"/>.
    /// </summary>
    public ConfigurationOptions? Configuration { get; set; }

    /// <summary>
    /// Gives a connection of the app's own, asked for at its first use and again if that threw. SseKit does not dispose of it. Default null;
    /// set this or <see cref="Configuration"/>.
    /// </summary>
    public Func<IServiceProvider, Task<IConnectionMultiplexer>>? Connect { get; set; }

    /// <summary>
    /// What the keys and channels begin with; a topic is one key. Default <c>sse:</c>; at most 200 characters. Apps that share a Redis, in
    /// whatever databases, need different ones: channels know no databases.
    /// </summary>
    public string KeyPrefix { get; set; } = "sse:";

    /// <summary>The database. Default null: the connection's own; zero or more. Redis Cluster has only 0.</summary>
    public int? Database { get; set; }

    /// <summary>
    /// How many events a topic keeps for replay where no rule of <see cref="SseOptions.Retention"/> says it. Default 1,000; 1 to 10,000,000. From
    /// 100 on Redis trims by whole blocks of up to 100 and keeps a few more. The bytes of a topic can't be bounded in Redis: plan with this and the
    /// size of your events. Their age is bounded by <see cref="SseOptions.MaxEventAge"/> and its rules, by the clock of Redis; the memory is given
    /// back with the next event of the topic, or with the topic.
    /// </summary>
    public int MaxEvents { get; set; } = 1_000;

    /// <summary>
    /// After what time a topic that nobody publishes to and nobody reads is dropped, but not before its events have reached their age where that
    /// is bounded. Who comes back later is told of a gap. Default one day; 1 minute or more, or <see cref="Timeout.InfiniteTimeSpan"/> for never.
    /// </summary>
    public TimeSpan TopicExpiry { get; set; } = TimeSpan.FromDays(1);
}
