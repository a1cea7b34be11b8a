using System.Globalization;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>Producers on a real Redis, in processes that are killed.</summary>
public sealed class ProducerTests(SharedRedis redis) : IClassFixture<SharedRedis>
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("-KILL")]
    [InlineData("-STOP")]
    public async Task When_the_node_of_a_producer_is_killed_or_stands_still_another_goes_on_without_a_hole_or_a_repeat(string signal)
    {
        using var guard = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        guard.CancelAfter(Guard);
        using var one = await ProducerNode.StartAsync(redis.Server.Address);
        using var two = await ProducerNode.StartAsync(redis.Server.Address);
        var path = $"resumed/{Guid.NewGuid():N}";
        await BeginAsync(one, path, guard.Token);

        var numbers = new List<int>();
        await foreach (var item in two.ReadAsync(path, null, guard.Token))
        {
            if (item.EventType == "end")
            {
                Assert.Equal("{\"state\":\"done\"}", item.Data);
                break;
            }

            numbers.Add(int.Parse(item.Data, CultureInfo.InvariantCulture));
            if (numbers.Count == 20)
            {
                await one.SignalAsync(signal);
            }
            else if (numbers.Count == 70 && signal == "-STOP")
            {
                // A zombie: it wakes in the middle of what it was about to publish.
                await one.SignalAsync("-CONT");
            }
        }

        Assert.Equal(Enumerable.Range(1, 100), numbers);
        var whole = await two.ReadAsync(path, null, guard.Token).ToListAsync(guard.Token);
        Assert.Equal([.. numbers.Select(number => $"{number}"), "{\"state\":\"done\"}"], whole.Select(item => item.Data));
    }

    [Fact]
    public async Task When_the_node_of_a_producer_is_killed_and_nothing_tells_how_to_go_on_readers_are_told()
    {
        using var guard = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        guard.CancelAfter(Guard);
        using var one = await ProducerNode.StartAsync(redis.Server.Address);
        using var two = await ProducerNode.StartAsync(redis.Server.Address);
        var path = $"lost/{Guid.NewGuid():N}";
        await BeginAsync(one, path, guard.Token);

        var items = new List<string>();
        await foreach (var item in two.ReadAsync(path, null, guard.Token))
        {
            items.Add(item.Data);
            if (items.Count == 20)
            {
                await one.SignalAsync("-KILL");
            }
        }

        Assert.Equal(Enumerable.Range(1, items.Count - 1).Select(i => $"{i}"), items[..^1]);
        Assert.Equal("{\"state\":\"lost\"}", items[^1]);
    }

    [Fact]
    public async Task Of_many_who_start_it_at_the_same_time_on_two_nodes_one_does()
    {
        using var one = await ProducerNode.StartAsync(redis.Server.Address);
        using var two = await ProducerNode.StartAsync(redis.Server.Address);
        var path = $"resumed/{Guid.NewGuid():N}";
        var read = await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
            await (i % 2 == 0 ? one : two).ReadAsync(path, null, Stop).Select(item => (item.EventId, item.Data)).ToListAsync(Stop))).WaitAsync(Guard, Stop);

        // The same ids: had it run twice, there would be others, or a number twice.
        Assert.All(read, items => Assert.Equal(read[0], items));
        Assert.Equal([.. Enumerable.Range(1, 100).Select(i => $"{i}"), "{\"state\":\"done\"}"], read[0].Select(item => item.Data));
    }

    [Fact]
    public async Task Topic_and_lease_leave_Redis_together()
    {
        await using var node = RedisNode.On(redis.Server, o => o.KeyPrefix = $"{Guid.NewGuid():N}:");
        var leases = node.Backlog;
        var lease = await leases.AcquireAsync(
            "answer", new SseLeaseTerms { Owner = "a", Duration = TimeSpan.FromMinutes(1), RetainFor = TimeSpan.FromMinutes(10) }, Stop);
        var database = (await node.ConnectionAsync()).GetDatabase();
        var keys = ((string[])(await redis.Server.ExecuteAsync("KEYS", "*answer*"))!);
        Assert.Equal(2, keys.Length);
        Assert.All(await Task.WhenAll(keys.Select(key => database.KeyTimeToLiveAsync(key))), left => Assert.InRange(left!.Value, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11)));

        await leases.AppendAsync("answer", new SseAppend { Frame = "data: 1\n"u8.ToArray(), Fence = lease.Fence, Outcome = SseProducerState.Done }, Stop);
        await leases.ReadAsync("answer", null, 10, Stop);
        Assert.All(await Task.WhenAll(keys.Select(key => database.KeyTimeToLiveAsync(key))), left => Assert.InRange(left!.Value, TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(10)));
    }

    [Theory]
    [InlineData("sse:chat/1", "lease:{sse:chat/1}")]
    [InlineData("sse:{user}/1", "lease:sse:{user}/1")]
    [InlineData("sse:{a", "lease:{sse:{a}")]
    public void A_lease_has_the_slot_of_its_topic(string key, string lease) => Assert.Equal(lease, LeaseKey.Of(key));

    /// <summary>Starts it at a node, and goes once it runs there.</summary>
    private static async Task BeginAsync(ProducerNode node, string path, CancellationToken stop)
    {
        await foreach (var _ in node.ReadAsync(path, null, stop))
        {
            return;
        }
    }
}
