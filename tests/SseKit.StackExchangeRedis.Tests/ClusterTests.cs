using System.Text;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>Topics that are spread over the servers of a Redis Cluster, and servers that change under them.</summary>
public sealed class ClusterTests : SeveralNodes
{
    private const string Key = "sse:numbers";

    [Fact]
    public async Task Topics_are_spread_over_the_servers_and_every_bell_is_heard()
    {
        var cluster = Open(await RedisCluster.StartAsync());
        RedisNode publisher = Open(RedisNode.On(cluster.Address)), reader = Open(RedisNode.On(cluster.Address));
        var topics = Enumerable.Range(0, 60).Select(i => $"topic {i}").ToList();
        await Task.WhenAll(topics.Select(async topic =>
        {
            var rung = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var watch = await reader.Backlog.WatchAsync(topic, () => rung.TrySetResult(), Stop);
            var entry = await publisher.Backlog.AppendAsync(topic, new SseAppend { Frame = Encoding.UTF8.GetBytes($"data: {topic}\n") }, Stop);
            await rung.Task.WaitAsync(TimeSpan.FromSeconds(30), Stop);
            Assert.Equal(entry.Id, Assert.Single((await reader.Backlog.ReadAsync(topic, null, 10, Stop)).Entries).Id);
        }));

        foreach (var master in cluster.Masters)
        {
            Assert.InRange((long)await master.ExecuteAsync("DBSIZE"), 5, 40);
        }
    }

    [Fact]
    public async Task A_topic_that_is_moved_to_another_server_while_it_is_published_to_and_read_loses_nothing()
    {
        var cluster = Open(await RedisCluster.StartAsync());

        // No publish is given up that is only slow.
        var one = await NodeAsync(cluster.Address, store: o => o.Configuration!.AsyncTimeout = 30_000);
        var two = await NodeAsync(cluster.Address);
        var client = Reader(two, await two.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();
        var last = 0;
        using var moving = new CancellationTokenSource();
        var publishing = Task.Run(
            async () =>
            {
                while (!moving.IsCancellationRequested)
                {
                    await PublishAsync(one, ++last, last);
                }
            },
            Stop);
        var at = await cluster.OwnerAsync(Key);
        foreach (var server in cluster.Masters.Except([at]).Append(at))
        {
            await cluster.MoveAsync(Key, server);
            Assert.Same(server, await cluster.OwnerAsync(Key));
        }

        await moving.CancelAsync();
        await publishing;
        await PublishAsync(two, last + 1, last + 1);

        Assert.Equal(Enumerable.Range(1, last + 1), await client.TakeAsync(last + 1));
        Assert.True(client.IsConnected);
    }

    [Fact]
    public async Task When_a_server_dies_its_replica_takes_over_and_subscribers_miss_nothing_that_it_had()
    {
        var cluster = Open(await RedisCluster.StartAsync(replicas: 1));
        var first = cluster.Masters[0];
        if (await cluster.OwnerAsync(Key) is var at && at != first)
        {
            await cluster.MoveAsync(Key, first);
        }

        Node one = await NodeAsync(cluster.Address), two = await NodeAsync(cluster.Address);
        var client = Reader(two, await two.Topics.GetPositionAsync("numbers", Stop));
        await PublishAsync(one, 1, 3);
        Assert.Equal([1, 2, 3], await client.TakeAsync(3));
        Assert.Equal(1, (long)await first.ExecuteAsync("WAIT", 1, 30_000));

        await first.KillAsync();
        await client.KeptAliveAsync(2);
        var (next, unknown) = await PublishOnAsync(one, 4);
        var (last, more) = await PublishOnAsync(two, next + 1);

        Assert.Equal([next, last], (await client.TakeToAsync(last)).Except(unknown).Except(more));
        Assert.True(client.IsConnected);
    }
}
