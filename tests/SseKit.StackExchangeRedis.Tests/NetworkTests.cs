namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A node on a host of its own whose network fails without a word, which no broken connection tells it of.</summary>
public sealed class NetworkTests : SeveralNodes
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_whose_packets_to_redis_get_lost_keeps_its_clients_and_catches_up_when_the_network_is_healed(bool oneWay)
    {
        var (host, redis, cutOff, other) = await StartAsync();
        Assert.Equal("confirmed", await cutOff.PublishAsync(1));
        var client = Reader(cutOff.Address, "0");
        Assert.Equal(["gap unknown", "1"], await client.SayAsync(2));

        await (oneWay ? host.MuteAsync() : host.CutAsync());
        await PublishAsync(other, 2, 50);

        // Loudly: first without an answer, and then at once.
        var unknown = new List<int>();
        for (string outcome; (outcome = await cutOff.PublishAsync(-1 - unknown.Count)) != "refused";)
        {
            Assert.Equal("unknown", outcome);
            unknown.Add(-1 - unknown.Count);
        }

        await client.KeptAliveAsync(3);
        await (oneWay ? host.UnmuteAsync() : host.HealAsync());
        await Waiting.UntilAsync(async () => await cutOff.PublishAsync(51) == "confirmed");

        // What was under way may have arrived; what was refused has not.
        Assert.Equal(Enumerable.Range(2, 50), (await client.TakeToAsync(51)).Except(unknown));
        Assert.True(client.IsConnected);
    }

    [Fact]
    public async Task A_node_that_was_cut_off_while_redis_lost_everything_tells_its_clients_of_the_gap()
    {
        var (host, redis, cutOff, other) = await StartAsync();
        await PublishAsync(other, 1, 3);
        var client = Reader(cutOff.Address, "0");
        Assert.Equal(["gap unknown", "1", "2", "3"], await client.SayAsync(4));

        await host.CutAsync();
        await redis.ExecuteAsync("FLUSHALL");
        await PublishAsync(other, 4, 5);
        await client.KeptAliveAsync(2);
        await host.HealAsync();

        Assert.Equal(["gap lost", "4", "5"], await client.SayAsync(3));
        Assert.True(client.IsConnected);
    }

    private async Task<(NetworkNamespace Host, RedisServer Redis, NodeProcess CutOff, Node Other)> StartAsync()
    {
        var host = Open(await NetworkNamespace.CreateAsync());
        var redis = await RedisAsync("--bind", "127.0.0.1", host.RedisAddress, "--protected-mode", "no");
        var cutOff = Open(await NodeProcess.StartAsync($"{host.RedisAddress}:{redis.Port}", host.Address, host.Within));
        return (host, redis, cutOff, await NodeAsync(redis.Address));
    }
}
