using SseKit.Testing;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The contract that every store keeps, on a Redis Cluster.</summary>
public sealed class ClusterContractTests(SharedCluster cluster) : SseBacklogContract, IClassFixture<SharedCluster>, IAsyncDisposable
{
    private readonly List<RedisNode> _nodes = [];

    protected override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Checks))]
    public Task Keeps_the_contract(string check) => RunAsync(check);

    protected override ISseBacklog Create(int maxEvents = 1_000)
    {
        var node = RedisNode.On(cluster.Cluster.Address, options =>
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
