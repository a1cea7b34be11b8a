using StackExchange.Redis;

namespace SseKit.StackExchangeRedis;

/// <summary>A connection that was made, and what is asked of it for each event.</summary>
internal sealed class RedisLink(IConnectionMultiplexer connection, int? database)
{
    public IConnectionMultiplexer Connection { get; } = connection;

    public IDatabase Database { get; } = connection.GetDatabase(database ?? -1);

    public ISubscriber Subscriber { get; } = connection.GetSubscriber();

    // StackExchange.Redis puts it before the channels that it subscribes to, and knows nothing of those in a script.
    public string ChannelPrefix { get; } = (string?)ConfigurationOptions.Parse(connection.Configuration).ChannelPrefix ?? "";
}
