using SseKit.Testing;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The contract of a relay, on a Redis Cluster.</summary>
public sealed class ClusterRelayTests(SharedCluster cluster) : SseRelayContract, IClassFixture<SharedCluster>, IAsyncDisposable
{
    private readonly List<RedisNode> _nodes = [];

    protected override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Checks))]
    public Task Keeps_the_contract(string check) => RunAsync(check);

    protected override (ISseRelay One, ISseRelay Other) CreateTwo()
    {
        var prefix = $"{Guid.NewGuid():N}:";
        var nodes = Enumerable.Range(0, 2).Select(_ => RedisNode.On(cluster.Cluster.Address, options => options.KeyPrefix = prefix)).ToList();
        _nodes.AddRange(nodes);
        return (nodes[0].Backlog, nodes[1].Backlog);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }
    }
}
