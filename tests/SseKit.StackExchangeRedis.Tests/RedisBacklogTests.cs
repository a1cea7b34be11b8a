using System.Text;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>What the contract does not know of: the shape of the stream, what it costs, and what others do to it.</summary>
public sealed class RedisBacklogTests(SharedRedis redis) : IClassFixture<SharedRedis>, IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private readonly string _prefix = $"{Guid.NewGuid():N}:";
    private readonly List<IAsyncDisposable> _open = [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private RedisServer Server => redis.Server;

    private string Key => _prefix + "orders";

    [Fact]
    public async Task Publishing_is_one_round_trip()
    {
        var node = Node();
        await PublishAsync(node, "first");
        var connection = await node.ConnectionAsync();
        var operations = connection.OperationCount;
        var scripts = await Server.CallsAsync("evalsha");

        for (var i = 0; i < 50; i++)
        {
            await PublishAsync(node, "more");
        }

        Assert.Equal(50, await Server.CallsAsync("evalsha") - scripts);

        // Its own heartbeat may send something besides, but not once an event.
        Assert.InRange(connection.OperationCount - operations, 50, 60);
    }

    [Fact]
    public async Task Many_publish_at_once_over_one_connection_and_the_chain_holds()
    {
        var node = Node();
        await Task.WhenAll(Enumerable.Range(0, 500).Select(i => PublishAsync(node, $"{i}"))).WaitAsync(Guard, Stop);

        var entries = await ReadAllAsync(node);
        Assert.Equal(500, entries.Select(entry => entry.Id).Distinct().Count());
        Assert.Equal(entries.SkipLast(1).Select(entry => entry.Id), entries.Skip(1).Select(entry => entry.PreviousId));
    }

    [Fact]
    public async Task A_redis_that_has_forgotten_the_scripts_is_told_them_again()
    {
        var node = Node();
        await PublishAsync(node, "1");
        await Server.ExecuteAsync("SCRIPT", "FLUSH");
        await PublishAsync(node, "2");
        await Server.ExecuteAsync("SCRIPT", "FLUSH");

        Assert.Equal(["data: 1\n", "data: 2\n"], Frames(await ReadAllAsync(node)));
    }

    [Fact]
    public async Task A_topic_is_one_key()
    {
        var node = Node();
        await node.Backlog.ReadAsync("orders", null, 0, Stop);
        await PublishAsync(node, "1");
        await using (await node.Backlog.WatchAsync("orders", () => { }, Stop))
        {
            var keys = (RedisResult[])(await Server.ExecuteAsync("KEYS", _prefix + "*"))!;
            Assert.Equal([Key], keys.Select(key => (string)key!));
        }
    }

    [Fact]
    public async Task More_than_a_hundred_events_are_kept_to_the_next_block()
    {
        var node = Node(options => options.MaxEvents = 200);
        for (var i = 0; i < 1_000; i++)
        {
            await PublishAsync(node, $"{i}");
        }

        Assert.InRange((long)await Server.ExecuteAsync("XLEN", Key), 200, 300);
    }

    [Fact]
    public async Task What_is_too_old_is_not_replayed_and_given_back_with_the_next_event()
    {
        var node = Node(topics: new SseOptions { MaxEventAge = TimeSpan.FromHours(1) });
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        var hour = (long)TimeSpan.FromHours(1).TotalMilliseconds;
        var previous = "origin";
        for (var i = 0; i < 150; i++)
        {
            await ForeignAsync($"{now - (2 * hour)}-{i}", "v", "1", "w", "x", "p", previous, "t", "", "f", "data: old\n");
            previous = $"{now - (2 * hour)}-{i}-x";
        }

        await ForeignAsync($"{now - hour + 60_000}-0", "v", "1", "w", "x", "p", previous, "t", "", "f", "data: young\n");
        previous = $"{now - hour + 60_000}-0-x";
        var entry = Assert.Single(await ReadAllAsync(node));
        Assert.Equal(previous, entry.Id);
        Assert.InRange(entry.Age, TimeSpan.FromMinutes(59), TimeSpan.FromMinutes(60));
        Assert.Equal(previous, (await node.Backlog.ReadAsync("orders", $"{now - (2 * hour)}-149-x", 10, Stop)).Entries[0].Id);

        // Whole blocks go, of up to a hundred.
        await PublishAsync(node, "young");
        Assert.InRange((long)await Server.ExecuteAsync("XLEN", Key), 2, 101);
    }

    [Fact]
    public async Task The_rules_for_topics_hold_in_redis_too()
    {
        var topics = new SseOptions { MaxEventAge = TimeSpan.FromHours(1) };
        topics.Retention.Add(new SseRetentionRule { Topic = "orders", MaxEvents = 3, MaxAge = TimeSpan.FromDays(30) });
        topics.Retention.Add(new SseRetentionRule { Topic = "jobs/*", MaxEvents = 4, MaxAge = Timeout.InfiniteTimeSpan });
        var node = Node(options => (options.MaxEvents, options.TopicExpiry) = (5, TimeSpan.FromDays(1)), topics);
        foreach (var (topic, kept, days) in new[] { ("orders", 3, 30), ("jobs/1", 4, 1), ("others", 5, 1) })
        {
            for (var i = 0; i < 8; i++)
            {
                await node.Backlog.AppendAsync(topic, new SseAppend { Frame = "data: 1\n"u8.ToArray() }, Stop);
            }

            Assert.Equal(kept, (long)await Server.ExecuteAsync("XLEN", _prefix + topic));

            // Not dropped before what it keeps is too old.
            Assert.InRange((long)await Server.ExecuteAsync("PTTL", _prefix + topic), (days * 86_400_000L) - 600_000, days * 86_400_000L);
        }
    }

    [Fact]
    public async Task Entries_say_how_old_they_are_by_the_clock_of_redis()
    {
        var node = Node();
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        await ForeignAsync($"{now - 600_000}-0", "v", "1", "w", "x", "p", "origin", "t", "", "f", "data: old\n");
        await ForeignAsync("18446744073709551615-1", "v", "1", "w", "y", "p", "x", "t", "", "f", "data: of the future\n");

        var entries = await ReadAllAsync(node);
        Assert.InRange(entries[0].Age, TimeSpan.FromMinutes(9.9), TimeSpan.FromMinutes(15));
        Assert.Equal(TimeSpan.Zero, entries[1].Age);
    }

    [Fact]
    public async Task Events_that_are_appended_together_are_one_round_trip_and_one_ring()
    {
        var node = Node();
        await PublishAsync(node, "first");
        var scripts = await Server.CallsAsync("evalsha");
        var rings = await Server.CallsAsync("publish");
        await node.Backlog.AppendAsync("orders", [.. Enumerable.Range(0, 100).Select(i => Frame($"{i}"))], Stop);

        Assert.Equal(1, await Server.CallsAsync("evalsha") - scripts);
        Assert.Equal(1, await Server.CallsAsync("publish") - rings);
        var entries = await ReadAllAsync(node);
        Assert.Equal(101, entries.Count);
        Assert.Equal(entries.SkipLast(1).Select(entry => entry.Id), entries.Skip(1).Select(entry => entry.PreviousId));
    }

    [Fact]
    public async Task More_events_together_than_are_kept_are_refused_by_name()
    {
        var topics = new SseOptions();
        topics.Retention.Add(new SseRetentionRule { Topic = "orders", MaxEvents = 3 });
        var node = Node(topics: topics);
        var refused = await Assert.ThrowsAsync<ArgumentException>(async () => await node.Backlog.AppendAsync("orders", [.. Enumerable.Range(0, 4).Select(i => Frame($"{i}"))], Stop));
        Assert.All(new[] { "4 events", "'orders'", "SseRedisOptions.MaxEvents", "SseOptions.Retention" }, text => Assert.Contains(text, refused.Message));
        Assert.Empty(await ReadAllAsync(node));
    }

    [Fact]
    public async Task A_topic_that_is_published_to_or_read_stays_and_one_that_is_not_goes()
    {
        var node = Node(options => options.TopicExpiry = TimeSpan.FromMinutes(5));
        await PublishAsync(node, "1");
        Assert.InRange((long)await Server.ExecuteAsync("PTTL", Key), 200_000, 300_000);

        await Server.ExecuteAsync("PEXPIRE", Key, 10_000);
        await node.Backlog.ReadAsync("orders", null, 0, Stop);
        Assert.InRange((long)await Server.ExecuteAsync("PTTL", Key), 200_000, 300_000);
    }

    [Fact]
    public async Task A_key_that_was_deleted_and_made_again_is_another_topic_to_who_was_in_the_first()
    {
        var node = Node();
        var before = await PublishAsync(node, "1");
        await Server.ExecuteAsync("DEL", Key);
        var after = await PublishAsync(node, "2");

        var slice = await node.Backlog.ReadAsync("orders", before.Id, 10, Stop);
        Assert.Equal(after.Id, slice.Head);
        Assert.Equal(after.Id, Assert.Single(slice.Entries).Id);
        Assert.NotEqual(before.Id, slice.Entries[0].PreviousId);
        Assert.NotEqual(before.PreviousId, slice.Entries[0].PreviousId);
    }

    [Fact]
    public async Task An_id_from_the_future_does_not_starve_who_holds_it()
    {
        var node = Node();
        var entry = await PublishAsync(node, "1");

        Assert.Equal(entry.Id, (await node.Backlog.ReadAsync("orders", "9999999999999-0-x", 10, Stop)).Entries[0].Id);
        Assert.Equal(entry.Id, (await node.Backlog.ReadAsync("orders", "18446744073709551615-18446744073709551615-x", 10, Stop)).Entries[0].Id);
        Assert.Equal(entry.Id, (await node.Backlog.ReadAsync("orders", $"{entry.Id}x", 10, Stop)).Entries[0].Id);
    }

    [Fact]
    public async Task A_stream_that_an_operator_emptied_does_not_go_on_as_if_nothing_were_missing()
    {
        var node = Node();
        var lost = await PublishAsync(node, "1");
        await Server.ExecuteAsync("XTRIM", Key, "MAXLEN", 0);
        var next = await PublishAsync(node, "2");

        Assert.NotEqual(lost.Id, next.PreviousId);
        Assert.NotEqual(lost.PreviousId, next.PreviousId);
    }

    [Fact]
    public async Task What_others_put_into_the_stream_is_skipped_with_one_warning_and_breaks_nobody()
    {
        var node = Node();
        var first = await PublishAsync(node, "1");
        await ForeignAsync("*", "sensor", "1234", "temperature", "19.8");
        await ForeignAsync("*", "v", "1");
        await ForeignAsync("*", "v", "1", "w", "not an id", "p", first.Id, "t", "", "f", "data: x\n");
        await ForeignAsync("*", "v", "1", "w", new string('x', 1_000), "p", first.Id, "t", "", "f", "data: x\n");
        await ForeignAsync("*", "blob", new byte[4 * 1024 * 1024]);
        await ForeignAsync("*", new byte[] { 0xFF, 0xFE }, new byte[] { 0xC0 });
        var second = await PublishAsync(node, "2");
        for (var i = 0; i < 300; i++)
        {
            await ForeignAsync("*", "noise", i);
        }

        Assert.Equal(second.Id, (await node.Backlog.ReadAsync("orders", null, 0, Stop)).Head);
        Assert.Equal(first.Id, second.PreviousId);
        Assert.Equal(["data: 1\n", "data: 2\n"], Frames(await ReadAllAsync(node)));
        Assert.Equal(second.Id, Assert.Single((await node.Backlog.ReadAsync("orders", first.Id, 1, Stop)).Entries).Id);
        Assert.Equal(second.Id, (await PublishAsync(node, "3")).PreviousId);
        var warning = Assert.Single(node.Logged.Entries);
        Assert.Equal((LogLevel.Warning, 101), (warning.Level, warning.Id.Id));
        Assert.Contains("orders", warning.Text);
    }

    [Theory]
    [InlineData("data: no end of line")]
    [InlineData("data: 1\n\ndata: another event\n")]
    [InlineData("id: of its own\ndata: 1\n")]
    [InlineData("data: 1\nid: of its own\n")]
    [InlineData("data: 1\r\n")]
    [InlineData("\ndata: 1\n")]
    [InlineData("")]
    [InlineData("data: \u00FF\n", true)]
    public async Task A_link_of_the_chain_that_is_no_frame_keeps_its_place_and_says_nothing(string frame, bool latin = false)
    {
        var node = Node();
        var first = await PublishAsync(node, "1");
        await ForeignAsync("*", "v", "1", "w", "x", "p", first.Id, "t", "", "f", (latin ? Encoding.Latin1 : Encoding.UTF8).GetBytes(frame));
        var third = await PublishAsync(node, "3");

        var entries = await ReadAllAsync(node);
        Assert.Equal(["data: 1\n", "", "data: 3\n"], Frames(entries));
        Assert.Equal(entries[1].Id, third.PreviousId);
        Assert.Single(node.Logged.Entries);
    }

    [Fact]
    public async Task An_event_of_a_later_format_is_a_gap_to_a_node_that_does_not_know_it()
    {
        var node = Node();
        var first = await PublishAsync(node, "1");
        await ForeignAsync("*", "v", "2", "w", "x", "p", first.Id, "zipped", "…");
        var third = await PublishAsync(node, "3");

        Assert.Equal(["data: 1\n", "data: 3\n"], Frames(await ReadAllAsync(node)));
        Assert.EndsWith("-x", third.PreviousId);
        Assert.Empty(node.Logged.Entries);
    }

    [Fact]
    public async Task An_event_from_before_there_were_keys_is_read_and_so_is_one_with_a_field_of_a_later_time()
    {
        var node = Node();
        await ForeignAsync("1-1", "v", "1", "w", "x", "p", "origin", "t", "", "f", "data: old\n");
        await ForeignAsync("1-2", "v", "1", "w", "x", "p", "1-1-x", "t", "late", "z", "?", "k", "k", "f", "data: late\n");

        var entries = await ReadAllAsync(node);
        Assert.Equal(["data: old\n", "data: late\n"], Frames(entries));
        Assert.Equal([null, "k"], entries.Select(entry => entry.Key));
        Assert.Equal("late", entries[1].EventType);
        Assert.Empty(node.Logged.Entries);
    }

    [Fact]
    public async Task A_page_is_no_larger_than_a_connection_can_bear()
    {
        var node = Node();
        var large = new string('x', 300_000);
        for (var i = 0; i < 10; i++)
        {
            await PublishAsync(node, large);
        }

        Assert.InRange((await node.Backlog.ReadAsync("orders", null, 5, Stop)).Entries.Count, 1, 5);
        Assert.Equal(10, (await ReadAllAsync(node)).Count);
    }

    [Fact]
    public async Task The_prefix_that_a_connection_puts_before_its_channels_does_not_silence_the_bell()
    {
        var node = RedisNode.On($"{Server.Address},channelPrefix=tenant:", options => options.KeyPrefix = _prefix);
        _open.Add(node);
        var rung = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var watch = await node.Backlog.WatchAsync("orders", () => rung.TrySetResult(), Stop);

        await PublishAsync(node, "1");
        await rung.Task.WaitAsync(Guard, Stop);
    }

    [Fact]
    public async Task Topics_that_come_and_go_leave_no_channel_behind()
    {
        var node = Node();
        for (var round = 0; round < 3; round++)
        {
            var watches = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(async topic => await node.Backlog.WatchAsync($"t{topic}", () => { }, Stop)));
            Assert.Equal(1_000, await ChannelsAsync());
            await Task.WhenAll(watches.Select(watch => watch.DisposeAsync().AsTask()));
            Assert.Equal(0, await ChannelsAsync());
        }

        async Task<int> ChannelsAsync() => ((RedisResult[])(await Server.ExecuteAsync("PUBSUB", "CHANNELS", _prefix + "*"))!).Length;
    }

    [Fact]
    public async Task Watches_of_one_topic_that_come_and_go_at_once_do_not_take_the_bell_with_them()
    {
        var node = Node();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            for (var i = 0; i < 50; i++)
            {
                var rung = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                await using var watch = await node.Backlog.WatchAsync("orders", () => rung.TrySetResult(), Stop);
                await PublishAsync(node, "1");
                await rung.Task.WaitAsync(Guard, Stop);
            }
        }));
    }

    [Fact]
    public async Task Databases_are_kept_apart()
    {
        var one = Node(options => options.Database = 1);
        var two = Node(options => options.Database = 2);
        await PublishAsync(one, "1");

        Assert.Empty(await ReadAllAsync(two));
        Assert.Single(await ReadAllAsync(one));
    }

    [Fact]
    public async Task A_connection_of_the_apps_own_is_used_and_left_open()
    {
        await using var own = await Server.ConnectAsync();
        var node = RedisNode.On(Server, options =>
        {
            options.KeyPrefix = _prefix;
            options.Configuration = null;
            options.Connect = _ => Task.FromResult<IConnectionMultiplexer>(own);
        });
        await PublishAsync(node, "1");
        await node.DisposeAsync();

        Assert.Equal(1, (long)await own.GetDatabase().ExecuteAsync("EXISTS", Key));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _open)
        {
            await one.DisposeAsync();
        }
    }

    private RedisNode Node(Action<SseRedisOptions>? configure = null, SseOptions? topics = null)
    {
        var node = RedisNode.On(Server, options =>
        {
            options.KeyPrefix = _prefix;
            configure?.Invoke(options);
        }, topics);
        _open.Add(node);
        return node;
    }

    private async Task ForeignAsync(string id, params object[] fields) => await Server.ExecuteAsync("XADD", [Key, id, .. fields]);

    private static async Task<SseEntry> PublishAsync(RedisNode node, string data) =>
        await node.Backlog.AppendAsync("orders", Frame(data), Stop);

    private static SseAppend Frame(string data) => new() { Frame = Encoding.UTF8.GetBytes($"data: {data}\n") };

    private static IEnumerable<string> Frames(IEnumerable<SseEntry> entries) => entries.Select(entry => Encoding.UTF8.GetString(entry.Frame.Span));

    private static async Task<List<SseEntry>> ReadAllAsync(RedisNode node)
    {
        var entries = new List<SseEntry>();
        string? after = null;
        while (true)
        {
            var slice = await node.Backlog.ReadAsync("orders", after, 100, Stop);
            if (slice.Entries.Count == 0)
            {
                return entries;
            }

            entries.AddRange(slice.Entries);
            after = slice.Entries[^1].Id;
        }
    }
}
