using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

/// <summary>What a herd of readers that come back costs the store.</summary>
public sealed class HerdTests
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new();
    private readonly CountedBacklog _store = new(EmptyStore());

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_herd_that_comes_back_to_another_node_reads_the_store_once_and_not_once_each()
    {
        var ids = await AppendAsync(900);
        var herd = new List<IAsyncEnumerator<SseEvent>>();
        var topics = Node();
        for (var reader = 0; reader < 1_000; reader++)
        {
            var back = topics.SubscribeAsync("orders", ids[reader % 899], cancellationToken: Stop).GetAsyncEnumerator(Stop);
            herd.Add(back);
            Assert.True(await back.MoveNextAsync());
            Assert.Equal($"{(reader % 899) + 1}", back.Current.Data);
        }

        foreach (var back in herd)
        {
            await back.DisposeAsync();
        }

        // Four pages hold the topic; one look more follows what comes next.
        Assert.InRange(_store.Reads, 4, 5);
    }

    [Fact]
    public async Task A_herd_behind_what_the_node_holds_shares_its_reads()
    {
        var ids = await AppendAsync(900);
        var topics = Node(keeps: 10);
        Assert.Equal("899", await FirstAsync(topics, ids[898]));
        var before = _store.Reads;

        var gate = _store.Hold();
        var herd = Enumerable.Range(0, 1_000).Select(reader => FirstAsync(topics, ids[reader % 2])).ToList();
        gate.SetResult();

        Assert.Equal(Enumerable.Range(0, 1_000).Select(reader => $"{(reader % 2) + 1}"), await Task.WhenAll(herd).WaitAsync(Guard, Stop));
        Assert.Equal("1", await FirstAsync(topics, ids[0]));

        // Two ranges, and what it takes to open the topic's feed again for the herd and for the one who came after it.
        Assert.InRange(_store.Reads - before, 2, 8);
    }

    [Fact]
    public async Task A_page_is_shared_for_a_second_and_then_forgotten()
    {
        var ids = await AppendAsync(900);
        var reads = new StoreReads(_store, _time);

        await reads.ReadAsync("orders", ids[0], 256, Stop);
        await reads.ReadAsync("orders", ids[0], 256, Stop);
        Assert.Equal(1, _store.Reads);

        _time.Advance(TimeSpan.FromSeconds(1));
        await reads.ReadAsync("orders", ids[0], 256, Stop);
        Assert.Equal(2, _store.Reads);
    }

    [Fact]
    public async Task Where_nothing_was_is_looked_at_again()
    {
        var ids = await AppendAsync(10);
        var reads = new StoreReads(_store, _time);

        Assert.Empty((await reads.ReadAsync("orders", ids[9], 256, Stop)).Entries);
        await AppendAsync(1);
        Assert.Single((await reads.ReadAsync("orders", ids[9], 256, Stop)).Entries);
    }

    [Fact]
    public async Task What_the_store_has_lost_is_not_kept()
    {
        var ids = await AppendAsync(900);
        var reads = new StoreReads(_store, _time);
        var page = await reads.ReadAsync("orders", ids[0], 256, Stop);

        _store.Inner = EmptyStore();
        Assert.Empty((await reads.ReadAsync("orders", page.Entries[^1].Id, 256, Stop)).Entries);
        Assert.NotSame(page, await reads.ReadAsync("orders", ids[0], 256, Stop));
    }

    [Fact]
    public async Task Strangers_queue_for_the_store()
    {
        await AppendAsync(10);
        var reads = new StoreReads(_store, _time);
        var gate = _store.Hold();
        var herd = Enumerable.Range(0, 100).Select(stranger => reads.ReadAsync("orders", $"stranger-{stranger}", 256, Stop).AsTask()).ToList();

        Assert.Equal(16, _store.Reads);
        gate.SetResult();
        await Task.WhenAll(herd).WaitAsync(Guard, Stop);
        Assert.Equal(100, _store.Reads);
    }

    [Fact]
    public async Task A_shared_read_outlives_the_one_who_began_it_and_ends_with_the_last()
    {
        var ids = await AppendAsync(10);
        var reads = new StoreReads(_store, _time);
        var gate = _store.Hold();
        using var leaving = new CancellationTokenSource();
        var first = reads.ReadAsync("orders", ids[0], 256, leaving.Token).AsTask();
        var second = reads.ReadAsync("orders", ids[0], 256, Stop).AsTask();

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.False(_store.LastToken.IsCancellationRequested);
        gate.SetResult();
        Assert.Equal(9, (await second.WaitAsync(Guard, Stop)).Entries.Count);

        _store.Hold();
        using var leavingToo = new CancellationTokenSource();
        var third = reads.ReadAsync("orders", ids[1], 256, leavingToo.Token).AsTask();
        await leavingToo.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => third);
        await WaitAsync(() => _store.LastToken.IsCancellationRequested);
    }

    [Fact]
    public async Task A_failed_read_fails_all_who_shared_it_and_is_not_kept()
    {
        var ids = await AppendAsync(10);
        var reads = new StoreReads(_store, _time);
        var gate = _store.Hold();
        var herd = Enumerable.Range(0, 10).Select(_ => reads.ReadAsync("orders", ids[0], 256, Stop).AsTask()).ToList();
        gate.SetException(new IOException("The store is away."));

        foreach (var one in herd)
        {
            await Assert.ThrowsAsync<IOException>(() => one.WaitAsync(Guard, Stop));
        }

        Assert.Equal(9, (await reads.ReadAsync("orders", ids[0], 256, Stop)).Entries.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_has_come_first_and_is_busy_in_a_place_of_its_own_does_not_hold_up_the_topic(bool onScheduler)
    {
        await AppendAsync(1);
        var topics = Node();
        var gate = _store.Hold();
        BusyPlace.Begin(onScheduler, () => _ = topics.SubscribeAsync("orders", cancellationToken: Stop).GetAsyncEnumerator(Stop).MoveNextAsync().AsTask());
        await using var other = topics.SubscribeAsync("orders", start: SseStart.Earliest, cancellationToken: Stop).GetAsyncEnumerator(Stop);
        var next = other.MoveNextAsync().AsTask();
        gate.SetResult();

        Assert.True(await next.WaitAsync(Guard, Stop));
        await topics.PublishAsync("orders", new SseEvent("next"), Stop);
        Assert.True(await other.MoveNextAsync().AsTask().WaitAsync(Guard, Stop));
        Assert.Equal("next", other.Current.Data);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_has_asked_first_and_is_busy_in_a_place_of_its_own_does_not_hold_up_a_shared_read(bool onScheduler)
    {
        var ids = await AppendAsync(10);
        var reads = new StoreReads(_store, _time);
        var gate = _store.Hold();
        BusyPlace.Begin(onScheduler, () => _ = reads.ReadAsync("orders", ids[0], 256, Stop).AsTask());
        var other = reads.ReadAsync("orders", ids[0], 256, Stop).AsTask();
        gate.SetResult();

        Assert.Equal(9, (await other.WaitAsync(Guard, Stop)).Entries.Count);
        Assert.Equal(1, _store.Reads);
    }

    [Fact]
    public async Task A_store_that_keeps_much_more_than_the_node_is_not_read_to_its_end()
    {
        var ids = await AppendAsync(20_000);
        var topics = Node();
        await using var live = topics.SubscribeAsync("orders", cancellationToken: Stop).GetAsyncEnumerator(Stop);
        var next = live.MoveNextAsync().AsTask();
        await _store.Watched.WaitAsync(Guard, Stop);
        await WaitAsync(() => _store.Reads > 4);
        await topics.PublishAsync("orders", new SseEvent("next"), Stop);

        Assert.True(await next.WaitAsync(Guard, Stop));
        Assert.Equal("next", live.Current.Data);
        Assert.InRange(_store.Reads, 5, 10);
        Assert.Equal(20_000, ids.Count);
    }

    [Fact]
    public async Task A_store_that_stays_away_is_warned_of_once_for_each_topic()
    {
        await AppendAsync(1);
        var log = new WarningCount();
        var topics = new SseTopics(_store, new SseOptions(), JsonSerializerOptions.Web, _time, log);
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        await using var live = topics.SubscribeAsync("orders", cancellationToken: leaving.Token).GetAsyncEnumerator(Stop);
        var next = live.MoveNextAsync().AsTask();
        await WaitAsync(() => _store.Reads == 2);
        for (var outage = 1; outage <= 2; outage++)
        {
            _store.Fails = true;
            for (var look = 0; look < 5; look++)
            {
                var before = _store.Reads;
                _time.Advance(TimeSpan.FromSeconds(5));
                await WaitAsync(() => _store.Reads > before);
            }

            _store.Fails = false;
            await AppendAsync(1);
            Assert.True(await next.WaitAsync(Guard, Stop));
            next = live.MoveNextAsync().AsTask();
            Assert.Equal(outage, log.Count);
        }

        await leaving.CancelAsync();
        Assert.False(await next.WaitAsync(Guard, Stop));
    }

    private static async Task<string> FirstAsync(SseTopics topics, string after)
    {
        await foreach (var item in topics.SubscribeAsync("orders", after, cancellationToken: Stop))
        {
            return item.EventType is null ? item.Data! : $"{item.EventType} {item.Data}";
        }

        return "";
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        using var guard = new CancellationTokenSource(Guard);
        while (!condition())
        {
            await Task.Delay(5, guard.Token);
        }
    }

    private SseTopics Node(int keeps = 1_000) =>
        new(_store, new SseOptions { MaxEventsPerTopic = keeps }, JsonSerializerOptions.Web, _time, NullLogger.Instance);

    private async Task<List<string>> AppendAsync(int count)
    {
        var ids = new List<string>();
        for (var i = 0; i < count; i++)
        {
            ids.Add((await _store.AppendAsync("orders", new SseAppend { Frame = Encoding.UTF8.GetBytes($"data: {i}\n") }, Stop)).Id);
        }

        return ids;
    }

    private static InMemoryBacklog EmptyStore() => new(new SseOptions { MaxEventsPerTopic = 100_000, MaxBytesPerTopic = 1 << 30 });

    /// <summary>The in-memory store behind a door that counts, and can be held shut.</summary>
    private sealed class CountedBacklog(ISseBacklog inner) : ISseBacklog
    {
        private readonly TaskCompletionSource _watched = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Task _gate = Task.CompletedTask;
        private int _reads;

        public int Reads => Volatile.Read(ref _reads);

        public CancellationToken LastToken { get; private set; }

        public Task Watched => _watched.Task;

        public bool Fails { get; set; }

        public ISseBacklog Inner { get; set; } = inner;

        public TaskCompletionSource Hold()
        {
            var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _gate = gate.Task.ContinueWith(
                held =>
                {
                    _gate = Task.CompletedTask;
                    held.GetAwaiter().GetResult();
                },
                TaskScheduler.Default);
            return gate;
        }

        public ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) =>
            Inner.AppendAsync(topic, append, cancellationToken);

        public async ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            LastToken = cancellationToken;
            await _gate.WaitAsync(cancellationToken);
            if (Fails)
            {
                throw new IOException("The store is away.");
            }

            return await Inner.ReadAsync(topic, after, max, cancellationToken);
        }

        public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken)
        {
            _watched.TrySetResult();
            return Inner.WatchAsync(topic, grown, cancellationToken);
        }
    }

    private sealed class WarningCount : ILogger
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Warning)
            {
                Interlocked.Increment(ref _count);
            }
        }
    }
}
