using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>What a publisher is told when Redis fails it: never that nothing was stored when something was.</summary>
public sealed class PublishFaultTests : IAsyncLifetime
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private readonly List<IAsyncDisposable> _open = [];
    private RedisServer _redis = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _redis = await RedisServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _open)
        {
            await one.DisposeAsync();
        }

        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }
    }

    [Fact]
    public async Task An_event_whose_answer_was_lost_is_sent_again_and_stored_once()
    {
        var (node, proxy) = await BehindProxyAsync();
        for (var i = 0; i < 5; i++)
        {
            proxy.LoseAnswerTo("data: answer lost");
            var entry = await PublishAsync(node, "answer lost").WaitAsync(Guard, Stop);

            var stored = await ReadAllAsync(node);
            Assert.Equal(i + 2, stored.Count);
            Assert.Equal((entry.Id, entry.PreviousId), (stored[^1].Id, stored[^1].PreviousId));
        }
    }

    [Fact]
    public async Task Events_that_were_published_together_and_whose_answer_was_lost_are_sent_again_and_stored_once()
    {
        var (node, proxy) = await BehindProxyAsync();
        for (var i = 0; i < 5; i++)
        {
            var other = i == 0 ? null : Node(_redis.Address);
            proxy.OnLost = () => other is null ? Task.CompletedTask : PublishAsync(other, "after them");
            proxy.LoseAnswerTo("data: answer lost");
            var entries = await PublishTogetherAsync(node, "1", "answer lost", "3");

            var stored = (await ReadAllAsync(node)).SkipLast(i == 0 ? 0 : 1).TakeLast(3);
            Assert.Equal(entries.Select(entry => (entry.Id, entry.PreviousId)), stored.Select(entry => (entry.Id, entry.PreviousId)));
            Assert.Equal(1 + ((i + 1) * 3) + i, (await ReadAllAsync(node)).Count);
        }
    }

    [Fact]
    public async Task When_some_of_those_that_were_published_together_are_trimmed_already_the_outcome_is_unknown()
    {
        var (node, proxy) = await BehindProxyAsync(options => options.MaxEvents = 3);
        var other = Node(_redis.Address, options => options.MaxEvents = 3);
        proxy.OnLost = () => PublishAsync(other, "after them");
        proxy.LoseAnswerTo("data: answer lost");

        await Assert.ThrowsAsync<SseUnknownOutcomeException>(() => PublishTogetherAsync(node, "1", "answer lost", "3"));
        Assert.Equal(["data: answer lost\n", "data: 3\n", "data: after them\n"], (await ReadAllAsync(node)).Select(entry => Encoding.UTF8.GetString(entry.Frame.Span)));
    }

    [Fact]
    public async Task A_full_redis_stores_none_of_those_that_are_published_together()
    {
        var node = Node(_redis.Address);
        await PublishAsync(node, "1");
        await _redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
        await Assert.ThrowsAsync<RedisServerException>(() => PublishTogetherAsync(node, "2", "3"));
        Assert.Single(await ReadAllAsync(node));

        // Wherever in the script the memory ends.
        var large = new string('x', 300_000);
        var refusals = 0;
        for (var room = 0; room < 3_000_000; room += 200_000)
        {
            await _redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
            await _redis.ExecuteAsync("DEL", "sse:orders");
            await PublishAsync(node, "1");
            var memory = ((string)(await _redis.ExecuteAsync("INFO", "memory"))!).Split("used_memory:")[1].Split('\r')[0];
            await _redis.ExecuteAsync("CONFIG", "SET", "maxmemory", long.Parse(memory, CultureInfo.InvariantCulture) + room);
            var refused = await Record.ExceptionAsync(() => PublishTogetherAsync(node, large, large, large));
            Assert.Equal(refused is null ? 4 : 1, (await ReadAllAsync(node)).Count);
            refusals += refused is null ? 0 : 1;
        }

        Assert.InRange(refusals, 1, 14);
    }

    [Fact]
    public async Task An_event_that_never_arrived_is_stored_by_sending_it_again()
    {
        var (node, proxy) = await BehindProxyAsync();
        proxy.OnLost = async () => await _redis.ExecuteAsync("FLUSHALL");
        proxy.LoseAnswerTo("data: answer lost");
        var entry = await PublishAsync(node, "answer lost").WaitAsync(Guard, Stop);

        Assert.Equal(entry.Id, Assert.Single(await ReadAllAsync(node)).Id);
    }

    [Fact]
    public async Task When_redis_does_not_come_back_the_outcome_is_unknown()
    {
        var (node, proxy) = await BehindProxyAsync();
        proxy.OnLost = () =>
        {
            proxy.Cut();
            return Task.CompletedTask;
        };
        proxy.LoseAnswerTo("data: answer lost");

        var unknown = await Assert.ThrowsAsync<SseUnknownOutcomeException>(() => PublishAsync(node, "answer lost").WaitAsync(Guard, Stop));
        Assert.Equal("orders", unknown.Topic);
        Assert.IsType<RedisConnectionException>(unknown.InnerException);
    }

    [Fact]
    public async Task When_so_much_came_after_it_that_it_may_have_been_trimmed_the_outcome_is_unknown()
    {
        var (node, proxy) = await BehindProxyAsync(options => options.MaxEvents = 5);
        var other = Node(_redis.Address, options => options.MaxEvents = 5);
        proxy.OnLost = async () =>
        {
            for (var i = 0; i < 10; i++)
            {
                await PublishAsync(other, "another");
            }
        };
        proxy.LoseAnswerTo("data: answer lost");

        await Assert.ThrowsAsync<SseUnknownOutcomeException>(() => PublishAsync(node, "answer lost").WaitAsync(Guard, Stop));
        Assert.All(await ReadAllAsync(other), entry => Assert.Equal("data: another\n", Encoding.UTF8.GetString(entry.Frame.Span)));
    }

    [Fact]
    public async Task While_redis_is_away_publishing_fails_at_once_and_works_again_when_it_is_back()
    {
        var (node, proxy) = await BehindProxyAsync();
        proxy.Cut();
        await WaitAsync(async () => await Record.ExceptionAsync(() => PublishAsync(node, "lost on the way")) is not null);

        var refused = await Record.ExceptionAsync(() => PublishAsync(node, "not stored"));
        Assert.Equal(CommandStatus.WaitingToBeSent, Assert.IsType<RedisConnectionException>(refused).CommandStatus);

        proxy.Heal();
        await WaitAsync(async () => await Record.ExceptionAsync(() => PublishAsync(node, "back")) is null);
        Assert.DoesNotContain(await ReadAllAsync(node), entry => Encoding.UTF8.GetString(entry.Frame.Span) == "data: not stored\n");
    }

    [Fact]
    public async Task A_connection_of_the_apps_own_that_would_queue_does_not_keep_a_publisher_waiting()
    {
        await using var proxy = new RedisProxy(_redis);
        var configuration = ConfigurationOptions.Parse($"{proxy.Address},abortConnect=false,connectTimeout=60000");
        configuration.BacklogPolicy = BacklogPolicy.Default;
        configuration.AsyncTimeout = (int)Guard.TotalMilliseconds * 10;
        await using var own = await ConnectionMultiplexer.ConnectAsync(configuration);
        var node = Node(_redis.Address, options => (options.Configuration, options.Connect) = (null, _ => Task.FromResult<IConnectionMultiplexer>(own)));
        await PublishAsync(node, "1");
        proxy.FallSilent();
        await WaitAsync(() => Task.FromResult(!own.GetDatabase().IsConnected("orders")));

        await Assert.ThrowsAsync<RedisConnectionException>(() => PublishAsync(node, "2").WaitAsync(Guard, Stop));
    }

    [Fact]
    public async Task A_publisher_that_cancels_while_the_answer_is_under_way_is_told_that_the_outcome_is_unknown()
    {
        var node = Node(_redis.Address);
        await PublishAsync(node, "1");
        await _redis.PauseAsync();
        using var leaving = new CancellationTokenSource();
        var publishing = PublishAsync(node, "2", leaving.Token);
        await leaving.CancelAsync();

        var unknown = await Assert.ThrowsAsync<SseUnknownOutcomeException>(() => publishing.WaitAsync(Guard, Stop));
        Assert.IsAssignableFrom<OperationCanceledException>(unknown.InnerException);
        await _redis.ResumeAsync();
    }

    [Fact]
    public async Task A_redis_that_does_not_answer_leaves_the_outcome_unknown()
    {
        var node = Node($"{_redis.Address},asyncTimeout=500");
        await PublishAsync(node, "1");
        await _redis.PauseAsync();

        var unknown = await Assert.ThrowsAsync<SseUnknownOutcomeException>(() => PublishAsync(node, "2").WaitAsync(Guard, Stop));
        Assert.IsType<RedisTimeoutException>(unknown.InnerException);
        await _redis.ResumeAsync();
        await WaitAsync(async () => (await ReadAllAsync(node)).Count == 2);
    }

    [Fact]
    public async Task A_full_redis_refuses_and_stores_nothing_and_goes_on_when_there_is_room()
    {
        var node = Node(_redis.Address);
        await PublishAsync(node, "1");
        await _redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");

        var refused = await Assert.ThrowsAsync<RedisServerException>(() => PublishAsync(node, "2"));
        Assert.Contains("OOM", refused.Message);
        Assert.Single(await ReadAllAsync(node));
        await _redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        await PublishAsync(node, "3");
        Assert.Equal(2, (await ReadAllAsync(node)).Count);
    }

    [Fact]
    public async Task What_fails_after_the_event_was_stored_does_not_make_it_look_refused()
    {
        // A user who may do all but ring.
        await _redis.ExecuteAsync("ACL", "SETUSER", "mute", "on", ">word", "~*", "resetchannels", "+@all");
        var node = Node($"{_redis.Address},user=mute,password=word");

        var entry = await PublishAsync(node, "1");
        Assert.Equal(entry.Id, Assert.Single(await ReadAllAsync(node)).Id);
    }

    private static async Task<SseEntry> PublishAsync(RedisNode node, string data, CancellationToken? token = null) =>
        await node.Backlog.AppendAsync("orders", new SseAppend { Frame = Encoding.UTF8.GetBytes($"data: {data}\n") }, token ?? Stop);

    private static Task<IReadOnlyList<SseEntry>> PublishTogetherAsync(RedisNode node, params string[] data) =>
        node.Backlog.AppendAsync("orders", [.. data.Select(one => new SseAppend { Frame = Encoding.UTF8.GetBytes($"data: {one}\n") })], Stop).AsTask().WaitAsync(Guard, Stop);

    private static async Task<IReadOnlyList<SseEntry>> ReadAllAsync(RedisNode node)
    {
        IReadOnlyList<SseEntry> entries = [];
        await WaitAsync(async () => await Record.ExceptionAsync(async () => entries = (await node.Backlog.ReadAsync("orders", null, 1_000, Stop)).Entries) is null);
        return entries;
    }

    private static async Task WaitAsync(Func<Task<bool>> condition)
    {
        using var guard = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        guard.CancelAfter(Guard);
        while (!await condition())
        {
            await Task.Delay(10, guard.Token);
        }
    }

    private async Task<(RedisNode Node, RedisProxy Proxy)> BehindProxyAsync(Action<SseRedisOptions>? configure = null)
    {
        var proxy = new RedisProxy(_redis);
        var node = Node(proxy.Address, configure);
        _open.Add(proxy);
        await PublishAsync(node, "first");
        return (node, proxy);
    }

    private RedisNode Node(string address, Action<SseRedisOptions>? configure = null)
    {
        var node = RedisNode.On(address, configure);
        _open.Add(node);
        return node;
    }
}
