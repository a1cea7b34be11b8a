using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>Several nodes, one Redis, real HTTP, and everything that befalls a Redis.</summary>
public sealed class NodesTests : SeveralNodes
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Who_reconnects_to_another_node_misses_nothing()
    {
        var redis = await RedisAsync();
        Node one = await NodeAsync(redis.Address), two = await NodeAsync(redis.Address);
        await PublishAsync(one, 1, 3);

        var client = Reader(one, await one.Topics.GetPositionAsync("numbers", Stop));
        await PublishAsync(two, 4, 5);
        Assert.Equal([4, 5], await client.TakeAsync(2));
        await client.DisposeAsync();
        await PublishAsync(one, 6, 7);

        var back = Reader(two, client.LastId);
        await PublishAsync(one, 8, 8);
        Assert.Equal([6, 7, 8], await back.TakeAsync(3));
    }

    [Fact]
    public async Task The_streams_of_one_key_are_ended_on_all_nodes_with_a_word_also_after_redis_was_away()
    {
        var redis = await RedisAsync();
        Action<SseOptions> byKey = o => o.ConnectionKey = _ => "ann";
        Node one = await NodeAsync(redis.Address, byKey), two = await NodeAsync(redis.Address, byKey);
        foreach (var killed in (bool[])[false, true])
        {
            if (killed)
            {
                await redis.KillAsync();
                await redis.RunAsync();
                await PublishUntilAsync(one, 1);
                await PublishUntilAsync(two, 2);
            }

            var client = Reader(two, await two.Topics.GetPositionAsync("numbers", Stop));
            await client.ConnectedAsync();

            // Until the other node listens (again): who tells it does not know.
            await Waiting.UntilAsync(async () =>
            {
                await one.Connections.EndStreamsEverywhereAsync("ann", "bye", Stop);
                return !client.IsConnected;
            });
            Assert.Equal(["bye"], await client.SayAsync(1));
        }
    }

    [Fact]
    public async Task Redis_killed_and_restarted_empty_subscribers_stay_are_kept_alive_and_told_of_the_gap()
    {
        var redis = await RedisAsync();
        Node one = await NodeAsync(redis.Address), two = await NodeAsync(redis.Address);
        await PublishAsync(one, 1, 2);
        ClientReader a = Reader(one, "0"), b = Reader(two, await two.Topics.GetPositionAsync("numbers", Stop));
        Assert.Equal(["gap unknown", "1", "2"], await a.SayAsync(3));
        await b.ConnectedAsync();

        await redis.KillAsync();
        await Task.WhenAll(a.KeptAliveAsync(2), b.KeptAliveAsync(2));
        await Assert.ThrowsAnyAsync<Exception>(() => PublishAsync(one, 3, 3));

        await redis.RunAsync();
        await PublishUntilAsync(two, 4);
        Assert.Equal(["gap lost", "4"], await a.SayAsync(2));
        Assert.Equal(["gap lost", "4"], await b.SayAsync(2));
        Assert.True(a.IsConnected);
    }

    [Fact]
    public async Task Redis_restarted_with_what_it_had_on_disk_subscribers_stay_and_miss_nothing()
    {
        var redis = await RedisAsync("--appendonly", "yes", "--appendfsync", "always");
        Node one = await NodeAsync(redis.Address), two = await NodeAsync(redis.Address);
        await PublishAsync(one, 1, 2);
        var client = Reader(two, await two.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();

        await redis.KillAsync();
        await client.KeptAliveAsync(1);
        await redis.RunAsync();
        await PublishUntilAsync(one, 3);
        await PublishAsync(one, 4, 4);

        Assert.Equal(["3", "4"], await client.SayAsync(2));
        Assert.True(client.IsConnected);
    }

    [Fact]
    public async Task A_redis_that_stands_still_holds_up_publishing_and_nothing_else()
    {
        var redis = await RedisAsync();
        var node = await NodeAsync(redis.Address);
        var client = Reader(node, await node.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();
        await PublishAsync(node, 1, 1);

        await redis.PauseAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => PublishAsync(node, 2, 2).WaitAsync(Guard, Stop));
        await client.KeptAliveAsync(2);
        await redis.ResumeAsync();
        await PublishUntilAsync(node, 3);

        // What was under way when Redis stood still is stored by it when it goes on: its outcome was unknown.
        var said = await client.SayAsync(2);
        Assert.Equal("1", said[0]);
        Assert.Equal("3", said[1] == "2" ? (await client.SayAsync(1))[0] : said[1]);
        Assert.True(client.IsConnected);
    }

    [Fact]
    public async Task A_flush_or_an_expired_key_is_told_as_a_gap()
    {
        var redis = await RedisAsync();
        var node = await NodeAsync(redis.Address);
        var client = Reader(node, await node.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();
        await PublishAsync(node, 1, 1);
        Assert.Equal(["1"], await client.SayAsync(1));

        await redis.ExecuteAsync("FLUSHALL");
        Assert.Equal(["gap lost"], await client.SayAsync(1));
        await PublishAsync(node, 2, 2);
        Assert.Equal(["2"], await client.SayAsync(1));

        await redis.ExecuteAsync("PEXPIREAT", "sse:numbers", 1);
        await PublishAsync(node, 3, 3);
        Assert.Equal(["gap lost", "3"], await client.SayAsync(2));
    }

    [Fact]
    public async Task After_a_failover_to_a_replica_that_lacks_the_last_writes_the_gap_is_told_and_no_event_takes_anothers_place()
    {
        var primary = await RedisAsync();
        var replica = await RedisAsync("--replicaof", "127.0.0.1", $"{primary.Port}", "--repl-diskless-sync-delay", "0");
        await using var proxy = new RedisProxy(primary);
        Node one = await NodeAsync(proxy.Address), two = await NodeAsync(proxy.Address);
        var client = Reader(one, await one.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();
        await PublishAsync(one, 1, 2);
        await Waiting.UntilAsync(async () => (long)await replica.ExecuteAsync("XLEN", "sse:numbers") == 3);

        // Cut off, it lacks what comes now.
        await replica.ExecuteAsync("REPLICAOF", "NO", "ONE");
        await PublishAsync(two, 3, 4);
        Assert.Equal(["1", "2", "3", "4"], await client.SayAsync(4));
        proxy.LeadTo(replica);
        await primary.KillAsync();
        await PublishUntilAsync(two, 5);
        await PublishAsync(one, 6, 6);

        // What was kept is told again after the gap.
        Assert.Equal(["gap lost", "1", "2", "5", "6"], await client.SayAsync(5));
        var back = Reader(two, client.IdOf("4"));
        Assert.StartsWith("gap", (await back.SayAsync(1))[0]);
    }

    [Fact]
    public async Task A_node_that_is_cut_off_from_redis_keeps_its_clients_and_catches_up()
    {
        var redis = await RedisAsync();
        await using var proxy = new RedisProxy(redis);
        Node cutOff = await NodeAsync(proxy.Address), other = await NodeAsync(redis.Address);
        var client = Reader(cutOff, await cutOff.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();
        proxy.Cut();
        await PublishAsync(other, 1, 50);
        await client.KeptAliveAsync(2);
        proxy.Heal();
        await PublishAsync(other, 51, 51);

        Assert.Equal(Enumerable.Range(1, 51), await client.TakeAsync(51));
        Assert.True(client.IsConnected);
    }

    [Fact]
    public async Task A_node_looks_for_what_it_missed_as_soon_as_redis_is_back()
    {
        var redis = await RedisAsync();
        await using var proxy = new RedisProxy(redis);
        Node cutOff = await NodeAsync(proxy.Address, options => options.BacklogPollInterval = TimeSpan.FromHours(1)), other = await NodeAsync(redis.Address);
        var client = Reader(cutOff, await cutOff.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();
        proxy.Cut();
        await PublishAsync(other, 1, 3);
        proxy.Heal();

        Assert.Equal([1, 2, 3], await client.TakeAsync(3));
    }

    [Fact]
    public async Task A_full_redis_is_read_on()
    {
        var redis = await RedisAsync();
        var node = await NodeAsync(redis.Address);
        await PublishAsync(node, 1, 2);
        await redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
        await Assert.ThrowsAsync<RedisServerException>(() => PublishAsync(node, 3, 3));

        var late = Reader(node, "0");
        Assert.Equal(["gap unknown", "1", "2"], await late.SayAsync(3));
        await redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        await PublishAsync(node, 4, 4);
        Assert.Equal(["4"], await late.SayAsync(1));
    }

    [Fact]
    public async Task A_client_that_comes_while_redis_is_away_gets_an_end_after_which_it_comes_back()
    {
        var redis = await RedisAsync();
        var node = await NodeAsync(redis.Address);
        await PublishAsync(node, 1, 1);
        await redis.KillAsync();

        // Not an error status, which would end a browser's EventSource for good.
        await foreach (var heard in EventClient.ListenAsync($"{node.Address}/live", null, Stop))
        {
            Assert.True(heard.IsComment, "No event can come.");
        }

        await redis.RunAsync();
        await PublishUntilAsync(node, 2);
        Assert.Equal(["gap unknown", "2"], await Reader(node, "0").SayAsync(2));
    }

    [Fact]
    public async Task Nothing_relies_on_the_bell()
    {
        var redis = await RedisAsync();

        // A user who may publish but not ring: the node has only its own looks at Redis.
        await redis.ExecuteAsync("ACL", "SETUSER", "mute", "on", ">word", "~*", "resetchannels", "+@all");
        Node listening = await NodeAsync(redis.Address), mute = await NodeAsync($"{redis.Address},user=mute,password=word");
        var client = Reader(listening, await listening.Topics.GetPositionAsync("numbers", Stop));
        await client.ConnectedAsync();
        await PublishAsync(mute, 1, 3);

        Assert.Equal([1, 2, 3], await client.TakeAsync(3));
    }

    [Fact]
    public async Task A_node_reads_a_topic_once_whatever_the_number_of_its_clients()
    {
        var redis = await RedisAsync();
        var node = await NodeAsync(redis.Address, options => options.BacklogPollInterval = TimeSpan.FromHours(1));
        var position = await node.Topics.GetPositionAsync("numbers", Stop);
        var clients = Enumerable.Range(0, 200).Select(_ => Reader(node, position)).ToList();
        await Task.WhenAll(clients.Select(client => client.ConnectedAsync()));
        var before = await redis.CallsAsync("evalsha");
        for (var i = 1; i <= 20; i++)
        {
            await PublishAsync(node, i, i);
        }

        foreach (var client in clients)
        {
            Assert.Equal(Enumerable.Range(1, 20), await client.TakeAsync(20));
        }

        // A publish, a look for what came and a look whether there is more, for each event and not for each client.
        Assert.InRange(await redis.CallsAsync("evalsha") - before, 21, 80);
    }

    [Fact]
    public async Task A_herd_of_clients_that_comes_back_to_another_node_reads_redis_once_and_not_once_each()
    {
        var redis = await RedisAsync();
        Node publisher = await NodeAsync(redis.Address), other = await NodeAsync(redis.Address, options => options.BacklogPollInterval = TimeSpan.FromHours(1));
        var ids = new List<string> { await publisher.Topics.GetPositionAsync("numbers", Stop) };
        for (var i = 1; i <= 500; i++)
        {
            ids.Add(await publisher.Topics.PublishAsync("numbers", SseEvent.Json(i), Stop));
        }

        var before = await redis.CallsAsync("evalsha");
        var herd = Enumerable.Range(0, 500).Select(i => Reader(other, ids[i])).ToList();
        for (var i = 0; i < herd.Count; i++)
        {
            Assert.Equal(Enumerable.Range(i + 1, 500 - i), await herd[i].TakeAsync(500 - i));
        }

        Assert.InRange(await redis.CallsAsync("evalsha") - before, 1, 10);
    }
}
