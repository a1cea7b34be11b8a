using SseKit.Testing;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The contract that every store keeps, on a real Redis.</summary>
public sealed class RedisContractTests(SharedRedis redis) : SseBacklogContract, IClassFixture<SharedRedis>, IAsyncDisposable
{
    private readonly List<RedisNode> _nodes = [];

    [Theory, MemberData(nameof(Checks))]
    public Task Keeps_the_contract(string check) => RunAsync(check);

    protected override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

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

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }
    }
}
