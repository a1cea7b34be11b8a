using SseKit.Tests.Topics;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The contract that every store for producers keeps, on a real Redis.</summary>
public sealed class RedisLeaseTests(SharedRedis redis) : LeaseContract, IClassFixture<SharedRedis>, IAsyncDisposable
{
    private readonly List<RedisNode> _nodes = [];

    protected override ISseBacklog Create(int maxEvents = 1_000)
    {
        var node = RedisNode.On(redis.Server, options =>
        {
            options.KeyPrefix = $"{Guid.NewGuid():N}:";
            options.MaxEvents = maxEvents;
        });
        _nodes.Add(node);
        return node.Backlog;
    }

    // Its clock is that of Redis: longer than asked for does no harm.
    protected override Task PassAsync(TimeSpan time) => Task.Delay(time + TimeSpan.FromMilliseconds(20));

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }
    }
}
