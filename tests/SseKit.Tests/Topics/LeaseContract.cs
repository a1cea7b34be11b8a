using System.Text;

namespace SseKit.Tests.Topics;

/// <summary>The contract of <see cref="ISseLeases"/>, as tests. Every store that can hold producers inherits it beside <c>SseBacklogContract</c>.</summary>
public abstract class LeaseContract
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(1);
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>An empty store that keeps the newest <paramref name="maxEvents"/> events of a topic without a lease.</summary>
    protected abstract ISseBacklog Create(int maxEvents = 1_000);

    /// <summary>Lets at least this much of the store's time pass.</summary>
    protected abstract Task PassAsync(TimeSpan time);

    [Fact]
    public async Task A_topic_is_given_to_one()
    {
        var (store, leases) = Open();
        var first = await leases.AcquireAsync("answer", Terms("a"), Stop);
        var second = await leases.AcquireAsync("answer", Terms("b"), Stop);

        Assert.True(first.Granted);
        Assert.False(second.Granted);
        Assert.Equal((SseProducerState.Running, first.Fence), (second.State, second.Fence));
        Assert.True((await leases.AcquireAsync("other", Terms("b"), Stop)).Granted);
        await AppendAsync(store, "answer", first.Fence);
    }

    [Fact]
    public async Task Of_many_who_ask_at_the_same_time_one_gets_it()
    {
        var (_, leases) = Open();
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => Task.Run(() => leases.AcquireAsync("answer", Terms($"{i}"), Stop).AsTask(), Stop)));

        Assert.Single(answers, lease => lease.Granted);
        Assert.Single(answers.Select(lease => lease.Fence).Distinct());
    }

    [Fact]
    public async Task Who_asks_again_because_the_answer_was_lost_is_given_the_same()
    {
        var (_, leases) = Open();
        var first = await leases.AcquireAsync("answer", Terms("a"), Stop);
        var again = await leases.AcquireAsync("answer", Terms("a"), Stop);

        Assert.Equal((true, first.Fence), (again.Granted, again.Fence));
    }

    [Fact]
    public async Task Only_the_holder_publishes()
    {
        var (store, leases) = Open();
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", fence: 1));
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", fence: null, SseProducerState.Done));
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);
        await AppendAsync(store, "answer", lease.Fence);

        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", fence: null));
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", lease.Fence + 1));
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", lease.Fence - 1));
        await Assert.ThrowsAsync<SseFencedException>(() => store.AppendAsync("answer", [Frame, Frame], Stop).AsTask());
        Assert.Single((await store.ReadAsync("answer", null, 10, Stop)).Entries);
        await AppendAsync(store, "other", fence: null);
    }

    [Fact]
    public async Task Several_events_together_can_end_with_the_end()
    {
        var (store, leases) = Open(maxEvents: 2);
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);
        var one = Frame with { Fence = lease.Fence };
        var stored = await store.AppendAsync("answer", [one, one, one with { Outcome = SseProducerState.Done }], Stop);

        Assert.Equal([false, false, true], stored.Select(entry => entry.IsEnd));
        Assert.Equal((SseProducerState.Done, stored[2].Id), await leases.FindAsync("answer", Stop) is var found ? (found.State, found.EndId) : default);
        await Assert.ThrowsAsync<SseFencedException>(() => store.AppendAsync("answer", [one, one], Stop).AsTask());
    }

    [Fact]
    public async Task A_topic_that_was_published_to_is_no_producers()
    {
        var (store, leases) = Open();
        await AppendAsync(store, "orders", fence: null);

        await Assert.ThrowsAsync<InvalidOperationException>(() => leases.AcquireAsync("orders", Terms("a"), Stop).AsTask());
        Assert.Equal(default, await leases.FindAsync("orders", Stop));
        await AppendAsync(store, "orders", fence: null);
    }

    [Fact]
    public async Task A_topic_that_was_only_looked_at_can_be_a_producers()
    {
        var (store, leases) = Open();
        var before = (await store.ReadAsync("answer", null, 0, Stop)).Head;
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);

        Assert.Equal(before, (await AppendAsync(store, "answer", lease.Fence)).PreviousId);
    }

    [Fact]
    public async Task A_lease_that_ran_out_is_taken_over_and_its_holder_fenced_off()
    {
        var (store, leases) = Open();
        var old = await leases.AcquireAsync("answer", Terms("a", Short), Stop);
        var first = await AppendAsync(store, "answer", old.Fence);
        await PassAsync(Short);
        Assert.Equal(SseProducerState.Interrupted, (await leases.FindAsync("answer", Stop)).State);
        Assert.False((await leases.AcquireAsync("answer", Terms("b"), Stop)).Granted);

        var taken = await leases.AcquireAsync("answer", Terms("b") with { TakeOver = true }, Stop);
        Assert.True(taken is { Granted: true, State: SseProducerState.Running } && taken.Fence > old.Fence);
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", old.Fence));
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", old.Fence, SseProducerState.Done));
        Assert.Equal(taken.Fence, (await leases.RenewAsync("answer", old.Fence, Long, Stop)).Fence);
        Assert.Equal(SseProducerState.Running, (await leases.ReleaseAsync("answer", old.Fence, Stop)).State);
        Assert.Equal(first.Id, (await AppendAsync(store, "answer", taken.Fence)).PreviousId);
    }

    [Fact]
    public async Task A_lease_that_holds_is_not_taken_over_and_none_is_made_by_taking_over()
    {
        var (_, leases) = Open();
        Assert.Equal(default, await leases.AcquireAsync("answer", Terms("b") with { TakeOver = true }, Stop));
        await leases.AcquireAsync("answer", Terms("a"), Stop);

        Assert.False((await leases.AcquireAsync("answer", Terms("b") with { TakeOver = true }, Stop)).Granted);
    }

    [Fact]
    public async Task A_lease_that_ran_out_and_that_nobody_took_is_renewed()
    {
        var (store, leases) = Open();
        var lease = await leases.AcquireAsync("answer", Terms("a", Short), Stop);
        await PassAsync(Short);
        await AppendAsync(store, "answer", lease.Fence);

        Assert.Equal(SseProducerState.Running, (await leases.RenewAsync("answer", lease.Fence, Long, Stop)).State);
    }

    [Fact]
    public async Task A_lease_that_was_given_up_can_be_taken_over_at_once()
    {
        var (_, leases) = Open();
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);

        Assert.Equal(SseProducerState.Interrupted, (await leases.ReleaseAsync("answer", lease.Fence, Stop)).State);
        Assert.True((await leases.AcquireAsync("answer", Terms("b") with { TakeOver = true }, Stop)).Granted);
    }

    [Theory]
    [InlineData(SseProducerState.Done)]
    [InlineData(SseProducerState.Failed)]
    [InlineData(SseProducerState.Cancelled)]
    [InlineData(SseProducerState.Abandoned)]
    [InlineData(SseProducerState.Lost)]
    public async Task The_end_is_the_last_entry_and_says_how(SseProducerState outcome)
    {
        var (store, leases) = Open();
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);
        var one = await AppendAsync(store, "answer", lease.Fence);
        Assert.False((await store.ReadAsync("answer", null, 10, Stop)).IsEnded);
        var end = await AppendAsync(store, "answer", lease.Fence, outcome);

        var found = await leases.FindAsync("answer", Stop);
        Assert.Equal((outcome, end.Id), (found.State, found.EndId));
        Assert.False((await leases.AcquireAsync("answer", Terms("b"), Stop)).Granted);
        Assert.False((await leases.AcquireAsync("answer", Terms("b") with { TakeOver = true }, Stop)).Granted);
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", lease.Fence));
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", lease.Fence, SseProducerState.Done));
        Assert.Equal(outcome, (await leases.RenewAsync("answer", lease.Fence, Long, Stop)).State);

        var whole = await store.ReadAsync("answer", null, 10, Stop);
        Assert.Equal([(one.Id, false), (end.Id, true)], whole.Entries.Select(entry => (entry.Id, entry.IsEnd)));
        Assert.True(end.IsEnd && whole.IsEnded && (await store.ReadAsync("answer", end.Id, 10, Stop)).IsEnded);
        Assert.False((await store.ReadAsync("answer", null, 1, Stop)).Entries[0].IsEnd);
    }

    [Fact]
    public async Task Who_is_to_stop_publishes_nothing_but_the_end()
    {
        var (store, leases) = Open();
        Assert.Equal(default, await leases.StopAsync("answer", Stop));
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);
        Assert.False(lease.StopRequested);
        await leases.StopAsync("answer", Stop);

        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", lease.Fence));
        Assert.True(await leases.RenewAsync("answer", lease.Fence, Long, Stop) is { StopRequested: true, State: SseProducerState.Running });
        await AppendAsync(store, "answer", lease.Fence, SseProducerState.Cancelled);
        Assert.Equal(SseProducerState.Cancelled, (await leases.StopAsync("answer", Stop)).State);
    }

    [Fact]
    public async Task That_it_is_to_stop_stays_said_when_it_is_taken_over()
    {
        var (_, leases) = Open();
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);
        await leases.StopAsync("answer", Stop);
        await leases.ReleaseAsync("answer", lease.Fence, Stop);

        Assert.True(await leases.AcquireAsync("answer", Terms("b") with { TakeOver = true }, Stop) is { Granted: true, StopRequested: true });
    }

    [Fact]
    public async Task It_is_known_since_when_nobody_attends()
    {
        var (_, leases) = Open();
        await leases.AcquireAsync("answer", Terms("a"), Stop);
        await PassAsync(Short);
        Assert.True((await leases.FindAsync("answer", Stop)).Unattended >= Short);

        Assert.Null((await leases.AttendAsync("answer", "one", Long, Stop)).Unattended);
        await leases.AttendAsync("answer", "two", Long, Stop);
        Assert.Null((await leases.AttendAsync("answer", "one", TimeSpan.Zero, Stop)).Unattended);
        Assert.NotNull((await leases.AttendAsync("answer", "two", TimeSpan.Zero, Stop)).Unattended);
    }

    [Fact]
    public async Task A_node_that_says_nothing_more_attends_no_longer()
    {
        var (_, leases) = Open();
        await leases.AcquireAsync("answer", Terms("a"), Stop);
        await leases.AttendAsync("answer", "one", Short, Stop);
        await PassAsync(2 * Short);

        Assert.NotNull((await leases.FindAsync("answer", Stop)).Unattended);
    }

    [Fact]
    public async Task A_producer_keeps_all_that_it_has()
    {
        var (store, leases) = Open(maxEvents: 3);
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);
        var first = await AppendAsync(store, "answer", lease.Fence);
        for (var i = 0; i < 300; i++)
        {
            await AppendAsync(store, "answer", lease.Fence);
        }

        Assert.Equal(first.Id, (await store.ReadAsync("answer", null, 1, Stop)).Entries[0].Id);
    }

    [Fact]
    public async Task Some_time_after_the_end_the_topic_is_another()
    {
        var (store, leases) = Open();
        var lease = await leases.AcquireAsync("answer", Terms("a") with { RetainFor = Short }, Stop);
        await AppendAsync(store, "answer", lease.Fence);
        var end = await AppendAsync(store, "answer", lease.Fence, SseProducerState.Done);
        await PassAsync(2 * Short);

        Assert.Equal(default, await leases.FindAsync("answer", Stop));
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", lease.Fence));
        var slice = await store.ReadAsync("answer", null, 10, Stop);
        Assert.Empty(slice.Entries);
        Assert.NotEqual(end.Id, slice.Head);
        Assert.False(slice.IsEnded);
        var next = await leases.AcquireAsync("answer", Terms("b"), Stop);
        Assert.True(next.Granted && next.Fence > lease.Fence);
        await Assert.ThrowsAsync<SseFencedException>(() => AppendAsync(store, "answer", lease.Fence));
    }

    [Fact]
    public async Task A_lease_that_was_given_up_and_that_nobody_took_goes_too()
    {
        var (_, leases) = Open();
        var lease = await leases.AcquireAsync("answer", Terms("a") with { RetainFor = Short }, Stop);
        await leases.ReleaseAsync("answer", lease.Fence, Stop);
        await PassAsync(2 * Short);

        Assert.Equal(default, await leases.FindAsync("answer", Stop));
    }

    [Fact]
    public async Task Who_takes_over_does_not_choose_how_long_it_is_kept()
    {
        var (store, leases) = Open();
        var lease = await leases.AcquireAsync("answer", Terms("a"), Stop);
        await leases.ReleaseAsync("answer", lease.Fence, Stop);
        var taken = await leases.AcquireAsync("answer", Terms("b") with { TakeOver = true, RetainFor = Short }, Stop);
        await AppendAsync(store, "answer", taken.Fence, SseProducerState.Done);
        await PassAsync(2 * Short);

        Assert.Equal(SseProducerState.Done, (await leases.FindAsync("answer", Stop)).State);
    }

    [Fact]
    public async Task What_is_cancelled_beforehand_is_not_done()
    {
        var (_, leases) = Open();
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leases.AcquireAsync("answer", Terms("a"), cancelled).AsTask());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leases.FindAsync("answer", cancelled).AsTask());
        Assert.Equal(default, await leases.FindAsync("answer", Stop));
    }

    private static SseAppend Frame => new() { Frame = Encoding.UTF8.GetBytes("data: 1\n") };

    private static SseLeaseTerms Terms(string owner, TimeSpan? duration = null) =>
        new() { Owner = owner, Duration = duration ?? Long, RetainFor = Long };

    private static async Task<SseEntry> AppendAsync(ISseBacklog store, string topic, long? fence, SseProducerState? outcome = null) =>
        await store.AppendAsync(topic, Frame with { Fence = fence, Outcome = outcome }, Stop);

    private (ISseBacklog Store, ISseLeases Leases) Open(int maxEvents = 1_000)
    {
        var store = Create(maxEvents);
        return (store, Assert.IsType<ISseLeases>(store, exactMatch: false));
    }
}
