using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using SseKit.Topics;

namespace SseKit.Tests.Producing;

/// <summary>Producers of an app with two nodes and one store: whatever becomes of a node, there is one producer, and no reader waits for ever.</summary>
public sealed class ProducerNodesTests
{
    private const string Done = "event: end\ndata: {\"state\":\"done\"}\n\n";
    private const string Lost = "event: end\ndata: {\"state\":\"lost\"}\n\n";

    private static readonly TimeSpan Lease = new SseOptions().ProducerLease;
    private static readonly TimeSpan Pulse = Lease / 4;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_producer_is_read_on_every_node()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var (one, two) = (await nodes.StartAsync((_, _) => source), await nodes.StartAsync((_, _) => throw new InvalidOperationException("A second one.")));
        using var first = await one.OpenAsync("/answer");
        source.Emit("one");
        await first.ReadToAsync("\n\n");
        using var second = await two.OpenAsync("/answer");
        var id = ProducerApp.IdOf(await second.ReadToAsync("\n\n"));
        source.Emit("two");
        source.End();

        Assert.Equal("data: two\n\n" + Done, ProducerApp.WithoutIds(await first.ReadToEndAsync()));
        Assert.Equal("data: two\n\n" + Done, ProducerApp.WithoutIds(await second.ReadToEndAsync()));
        Assert.Equal("data: two\n\n" + Done, await two.ReadAsync("/answer", id));
        Assert.Equal(SseProducerState.Done, await two.Producers.GetStateAsync("answer", Stop));
        await one.NothingIsLeftAsync("answer");
        await two.NothingIsLeftAsync("answer");
    }

    [Fact]
    public async Task Who_comes_to_another_node_after_a_long_answer_has_ended_gets_all_of_it()
    {
        await using var nodes = new Nodes();
        var one = await nodes.StartAsync((_, _) => Events.Of());

        // More than a node reads of it to begin with: its copy begins behind the end.
        var two = await nodes.StartAsync((_, _) => Events.Of(), options: o => o.MaxEventsPerTopic = 10);
        await one.Producers.StartAsync("answer", (_, _) => Events.Values(Enumerable.Range(1, 3_000).Select(i => new SseEvent($"{i}"))), cancellationToken: Stop);
        await two.IsInStateAsync("answer", SseProducerState.Done);

        var whole = await two.Producers.AttachAsync("answer", cancellationToken: Stop).ToListAsync(Stop).AsTask().Soon();
        Assert.Equal([.. Enumerable.Range(1, 3_000).Select(i => $"{i}"), "{\"state\":\"done\"}"], whole.Select(item => item.Data));
        Assert.Empty(await two.Producers.AttachAsync("answer", whole[^1].EventId, cancellationToken: Stop).ToListAsync(Stop).AsTask().Soon());
    }

    [Fact]
    public async Task Of_many_who_come_to_both_nodes_at_the_same_time_one_starts_it()
    {
        await using var nodes = new Nodes();
        var starts = 0;
        IAsyncEnumerable<SseEvent> Source(IServiceProvider services, CancellationToken stop)
        {
            Interlocked.Increment(ref starts);
            return Events.Of("one");
        }

        ProducerApp[] apps = [await nodes.StartAsync(Source), await nodes.StartAsync(Source)];
        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => Task.Run(() => apps[i % 2].ReadAsync("/answer"), Stop))).Soon();

        Assert.Equal(1, starts);
        Assert.All(answers, answer => Assert.Equal("data: one\n\n" + Done, answer));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_is_stopped_from_another_node_also_when_it_is_silent(bool silent)
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var (one, two) = (await nodes.StartAsync((_, _) => source), await nodes.StartAsync((_, _) => source));
        using var reader = await one.OpenAsync("/answer");
        source.Emit("one");
        await reader.ReadToAsync("\n\n");
        Assert.True(await two.Producers.StopAsync("answer", Stop));
        if (silent)
        {
            nodes.Time.Advance(Pulse);
        }
        else
        {
            source.Emit("too late");
        }

        Assert.Equal("event: end\ndata: {\"state\":\"cancelled\"}\n\n", ProducerApp.WithoutIds(await reader.ReadToEndAsync()));
        await source.Disposed.Soon();
    }

    [Fact]
    public async Task When_its_node_dies_the_readers_on_another_are_told_within_the_lease()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var one = await nodes.StartAsync((_, _) => source);
        var two = await nodes.StartAsync((_, _) => source);
        await one.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);
        using var reader = await two.OpenAsync("/answer/attach");
        source.Emit("one");
        await reader.ReadToAsync("\n\n");

        nodes.StoreOf(one).StandStill();
        nodes.Pass(Lease);
        Assert.Equal(Lost, ProducerApp.WithoutIds(await reader.ReadToEndAsync()));
        Assert.Equal("data: one\n\n" + Lost, await two.ReadAsync("/answer"));
        await nodes.GoOnAsync(one, source);
    }

    [Fact]
    public async Task With_a_way_to_go_on_the_text_completes_and_who_wakes_up_too_late_changes_nothing()
    {
        await using var nodes = new Nodes();
        var (source, rest) = (new HandSource(), new HandSource());
        SseEvent? last = null;
        var one = await nodes.StartAsync((_, _) => source);
        var two = await nodes.StartAsync((_, _) => source, o => o.Resume = (_, from, _) =>
        {
            last = from;
            return rest;
        });
        await one.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);
        using var reader = await two.OpenAsync("/answer");
        source.Emit("one");
        await reader.ReadToAsync("\n\n");
        source.Emit("two");
        var id = ProducerApp.IdOf(await reader.ReadToAsync("\n\n"));

        nodes.StoreOf(one).StandStill();
        source.Emit("written by a zombie");
        nodes.Pass(Lease);
        await rest.Started.Soon();
        Assert.Equal(("two", id), (last?.Data, last?.EventId));
        rest.Emit("three");
        await reader.ReadToAsync("\n\n");
        await nodes.GoOnAsync(one, source);
        rest.Emit("four");
        rest.End();

        Assert.Equal("data: four\n\n" + Done, ProducerApp.WithoutIds(await reader.ReadToEndAsync()));
        Assert.Equal("data: one\n\ndata: two\n\ndata: three\n\ndata: four\n\n" + Done, await two.ReadAsync("/answer"));
        await two.NothingIsLeftAsync("answer");
    }

    [Fact]
    public async Task A_node_that_stood_still_and_that_nobody_replaced_goes_on()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var one = await nodes.StartAsync((_, _) => source);
        await one.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);
        nodes.StoreOf(one).StandStill();
        source.Emit("one");
        nodes.Pass(2 * Lease);
        nodes.StoreOf(one).GoOn();
        source.Emit("two");
        source.End();

        Assert.Equal("data: one\n\ndata: two\n\n" + Done, await one.ReadAsync("/answer"));
    }

    [Fact]
    public async Task Who_comes_first_after_a_node_died_learns_of_it_at_once()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var (one, two) = (await nodes.StartAsync((_, _) => source), await nodes.StartAsync((_, _) => source));
        await one.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);
        source.Emit("one");
        source.Emit("two");
        nodes.StoreOf(one).StandStill();
        nodes.Pass(Lease);

        Assert.Equal(SseProducerState.Interrupted, await two.Producers.GetStateAsync("answer", Stop));
        Assert.EndsWith(Lost, await two.ReadAsync("/answer"), StringComparison.Ordinal);
        await nodes.GoOnAsync(one, source);
    }

    [Fact]
    public async Task What_was_to_stop_when_its_node_died_does_not_go_on()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var one = await nodes.StartAsync((_, _) => source);
        var two = await nodes.StartAsync((_, _) => source, o => o.Resume = (_, _, _) => throw new InvalidOperationException("It went on."));
        await one.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);
        nodes.StoreOf(one).StandStill();
        await two.Producers.StopAsync("answer", Stop);
        nodes.Pass(Lease);

        Assert.Equal("event: end\ndata: {\"state\":\"cancelled\"}\n\n", await two.ReadAsync("/answer"));
        await nodes.GoOnAsync(one, source);
    }

    [Fact]
    public async Task Readers_on_every_node_count()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var (one, two) = (await nodes.StartAsync((_, _) => source), await nodes.StartAsync((_, _) => source));
        await one.Producers.StartAsync(
            "answer", (_, _) => source, o => (o.OnDisconnect, o.AbandonAfter) = (SseDisconnect.Abandon, TimeSpan.FromSeconds(20)), Stop);
        using (var reader = await two.OpenAsync("/answer"))
        {
            source.Emit("one");
            await reader.ReadToAsync("\n\n");
            nodes.Pass(TimeSpan.FromMinutes(2));
            Assert.Equal(SseProducerState.Running, await one.Producers.GetStateAsync("answer", Stop));
        }

        await two.HasNoReadersAsync("answer");
        nodes.Pass(TimeSpan.FromSeconds(25));
        await source.Cancelled.Soon();
        await two.IsInStateAsync("answer", SseProducerState.Abandoned);
    }

    [Fact]
    public async Task Where_a_disconnect_cancels_the_last_reader_may_leave_another_node()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var (one, two) = (await nodes.StartAsync((_, _) => source), await nodes.StartAsync((_, _) => source));
        await one.Producers.StartAsync("answer", (_, _) => source, o => o.OnDisconnect = SseDisconnect.Cancel, Stop);
        using (var reader = await two.OpenAsync("/answer"))
        {
            source.Emit("one");
            await reader.ReadToAsync("\n\n");
            nodes.Pass(Pulse);
        }

        await two.HasNoReadersAsync("answer");
        nodes.Pass(Pulse);
        await source.Cancelled.Soon();
        await two.IsInStateAsync("answer", SseProducerState.Cancelled);
    }

    [Fact]
    public async Task While_the_store_is_away_the_source_waits_and_nothing_is_missing_or_twice_afterwards()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var one = await nodes.StartAsync((_, _) => source);
        await one.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);
        source.Emit("one");
        await source.IsWaitedForAsync(1);
        var store = nodes.StoreOf(one);
        store.Failure = new TimeoutException("away");
        source.Emit("two");
        source.Emit("three");
        source.End();
        await Streaming.Waiting.Until(() => one.App.Log.OursAboveDebug.Any(line => line.Id.Name == "ProducerWaits"));
        nodes.Pass(Lease);
        store.Failure = null;
        store.AnswersLost = 2;

        await Streaming.Waiting.Until(() =>
        {
            nodes.Pass(TimeSpan.FromMilliseconds(250));
            return one.Producers.GetStateAsync("answer").AsTask().Result == SseProducerState.Done;
        });
        Assert.Equal("data: one\n\ndata: two\n\ndata: three\n\n" + Done, await one.ReadAsync("/answer"));
        await one.NothingIsLeftAsync("answer");
    }

    [Fact]
    public async Task While_the_store_is_away_even_a_new_client_is_told_to_come_back()
    {
        await using var nodes = new Nodes();
        var one = await nodes.StartAsync((_, _) => Events.Of("one"));
        nodes.StoreOf(one).Failure = new TimeoutException("away");
        using (var early = await one.OpenAsync("/answer"))
        {
            Assert.Equal(HttpStatusCode.OK, early.Status);
            Assert.Matches(@"\Aretry: \d+\n\z", await early.ReadToEndAsync());
        }

        nodes.StoreOf(one).Failure = null;
        Assert.Equal("data: one\n\n" + Done, await one.ReadAsync("/answer"));
    }

    [Fact]
    public async Task A_start_whose_answer_was_lost_is_one_start()
    {
        await using var nodes = new Nodes();
        var one = await nodes.StartAsync((_, _) => Events.Of());
        nodes.StoreOf(one).AnswersLost = 1;

        Assert.True(await one.Producers.StartAsync("answer", (_, _) => Events.Of("one"), cancellationToken: Stop));
        Assert.Equal("data: one\n\n" + Done, await one.ReadAsync("/answer"));
    }

    [Fact]
    public async Task When_the_store_was_wiped_the_producer_ends_and_its_readers_are_told()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var one = await nodes.StartAsync((_, _) => source);
        using var reader = await one.OpenAsync("/answer");
        source.Emit("one");
        await reader.ReadToAsync("\n\n");
        nodes.StoreOf(one).Store = nodes.NewStore();
        nodes.Pass(Pulse);

        Assert.Equal(Lost, ProducerApp.WithoutIds(await reader.ReadToEndAsync()));
        await source.Disposed.Soon();
        await one.NothingIsLeftAsync("answer");
    }

    [Fact]
    public async Task When_its_node_stops_another_goes_on_without_waiting_for_the_lease()
    {
        await using var nodes = new Nodes();
        var (source, rest) = (new HandSource(), new HandSource());
        var one = await nodes.StartAsync((_, _) => source);
        var two = await nodes.StartAsync((_, _) => source, o => o.Resume = (_, _, _) => rest);
        await one.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);
        using var reader = await two.OpenAsync("/answer");
        source.Emit("one");
        await reader.ReadToAsync("\n\n");
        await one.App.Web.StopAsync(Stop).Soon();
        await source.Disposed.Soon();
        nodes.Pass(Pulse);
        rest.Emit("two");
        rest.End();

        Assert.Equal("data: two\n\n" + Done, ProducerApp.WithoutIds(await reader.ReadToEndAsync()));
    }

    [Fact]
    public async Task A_node_that_stops_gives_its_producers_time_and_its_readers_none()
    {
        await using var nodes = new Nodes();
        var source = new HandSource();
        var one = await nodes.StartAsync((_, _) => source, options: o => o.ProducerDrainTime = TimeSpan.FromMinutes(5));
        var two = await nodes.StartAsync((_, _) => source);
        using var reader = await one.OpenAsync("/answer");
        source.Emit("one");
        await reader.ReadToAsync("\n\n");
        var stopped = one.App.Web.StopAsync(Stop);
        Assert.StartsWith("retry: ", await reader.ReadToEndAsync(), StringComparison.Ordinal);
        source.Emit("two");
        source.End();
        await stopped.Soon();

        Assert.Equal("data: one\n\ndata: two\n\n" + Done, await two.ReadAsync("/answer"));
    }

    [Fact]
    public async Task A_source_that_looks_at_no_token_does_not_hold_up_the_stop()
    {
        await using var nodes = new Nodes();
        var source = new HandSource(obeysToken: false);
        var one = await nodes.StartAsync((_, _) => source);
        await one.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);
        await source.IsWaitedForAsync();

        await one.App.Web.StopAsync(Stop).Soon();
        Assert.False(source.Disposed.IsCompleted);
        source.End();
        await source.Disposed.Soon();
    }

    /// <summary>Nodes on one store and one clock.</summary>
    private sealed class Nodes : IAsyncDisposable
    {
        private readonly List<(ProducerApp App, RemoteStore Store)> _nodes = [];
        private readonly InMemoryBacklog _store;

        public Nodes() => _store = NewStore();

        public FakeTimeProvider Time { get; } = new();

        public InMemoryBacklog NewStore() => new(new SseOptions(), Time);

        public async Task<ProducerApp> StartAsync(
            Func<IServiceProvider, CancellationToken, IAsyncEnumerable<SseEvent>> source,
            Action<SseProducerOptions>? configure = null,
            Action<SseOptions>? options = null)
        {
            var store = new RemoteStore(_store);
            var app = await ProducerApp.StartAsync(source, configure, options, services => services.AddSingleton<ISseBacklog>(store), Time);
            _nodes.Add((app, store));
            return app;
        }

        public RemoteStore StoreOf(ProducerApp app) => _nodes.Single(node => node.App == app).Store;

        /// <summary>Lets time pass pulse by pulse.</summary>
        public void Pass(TimeSpan time)
        {
            for (; time > Pulse; time -= Pulse)
            {
                Time.Advance(Pulse);
            }

            Time.Advance(time);
        }

        /// <summary>A node that stood still wakes up, finds its topic to be another's, and lets its source go.</summary>
        public async Task GoOnAsync(ProducerApp app, HandSource source)
        {
            StoreOf(app).GoOn();
            Pass(Pulse);
            await source.Disposed.Soon();
            Assert.Contains(app.App.Log.OursAboveDebug, line => line.Id.Name == "ProducerFenced");
            Assert.Empty(app.Producers.Running);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var (app, _) in _nodes)
            {
                await app.DisposeAsync();
            }
        }
    }
}
