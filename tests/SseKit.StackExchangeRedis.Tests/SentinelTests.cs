namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A primary and a replica whose roles Sentinel gives out.</summary>
public sealed class SentinelTests : SeveralNodes
{
    [Fact]
    public async Task After_a_failover_by_sentinel_nodes_go_on_at_the_new_primary_and_clients_are_told_of_what_it_lacks()
    {
        var primary = await RedisAsync();
        var replica = await RedisAsync("--replicaof", "127.0.0.1", $"{primary.Port}", "--repl-diskless-sync-delay", "0");
        var sentinel = Open(await RedisServer.StartSentinelAsync());
        await Waiting.UntilAsync(async () => ((string)(await primary.ExecuteAsync("INFO", "replication"))!).Contains("state=online", StringComparison.Ordinal));
        await sentinel.ExecuteAsync("SENTINEL", "MONITOR", "main", "127.0.0.1", primary.Port, 1);
        await sentinel.ExecuteAsync("SENTINEL", "SET", "main", "down-after-milliseconds", 1_000);
        await Waiting.UntilAsync(async () => ((string)(await sentinel.ExecuteAsync("INFO", "sentinel"))!).Contains("slaves=1", StringComparison.Ordinal));

        var redis = $"{sentinel.Address},serviceName=main";
        Node one = await NodeAsync(redis), two = await NodeAsync(redis);
        var client = Reader(one, await one.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();
        await PublishAsync(one, 1, 2);
        Assert.Equal(1, (long)await primary.ExecuteAsync("WAIT", 1, 30_000));

        // From here on the replica gets nothing more.
        await primary.ExecuteAsync("ACL", "SETUSER", "default", "-psync", "-sync");
        await primary.ExecuteAsync("CLIENT", "KILL", "TYPE", "replica");
        await PublishAsync(two, 3, 4);
        Assert.Equal(["1", "2", "3", "4"], await client.SayAsync(4));
        Assert.Equal(3, (long)await replica.ExecuteAsync("XLEN", "sse:numbers"));
        await primary.KillAsync();
        await client.KeptAliveAsync(2);
        var (next, unknown) = await PublishOnAsync(two, 5);
        var (last, more) = await PublishOnAsync(one, next + 1);

        // What was kept is told again after the gap.
        Assert.Equal(["gap lost", "1", "2"], await client.SayAsync(3));
        Assert.Equal([next, last], (await client.TakeToAsync(last)).Except(unknown).Except(more));
        Assert.True(client.IsConnected);
        Assert.StartsWith("gap", (await Reader(two, client.IdOf("4")).SayAsync(1))[0]);
    }
}
