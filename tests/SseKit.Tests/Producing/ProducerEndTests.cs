using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Producing;

/// <summary>However a source behaves, its readers are told, and nothing of it is left.</summary>
public sealed class ProducerEndTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_source_that_throws_is_told_without_its_exception()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Failing(new InvalidOperationException("secret"), "one", "two"));

        Assert.Equal("data: one\n\ndata: two\n\nevent: end\ndata: {\"state\":\"failed\"}\n\n", await app.ReadAsync("/answer"));
        var logged = Assert.Single(app.App.Log.OursAboveDebug);
        Assert.Equal((LogLevel.Error, "secret"), (logged.Level, logged.Exception?.Message));
        await app.NothingIsLeftAsync("answer");
    }

    [Fact]
    public async Task The_app_chooses_what_of_a_failure_is_told()
    {
        await using var app = await ProducerApp.StartAsync(
            (_, _) => Events.Failing(new InvalidOperationException("Zu \"viel\"\n"), "one"), o => o.OnFailure = failure => failure.Message);

        var end = (await app.ReadAsync("/answer")).Split("\n\n")[1];
        Assert.StartsWith("event: end\ndata: ", end, StringComparison.Ordinal);
        using var told = System.Text.Json.JsonDocument.Parse(end["event: end\ndata: ".Length..]);
        Assert.Equal(("failed", "Zu \"viel\"\n"), (told.RootElement.GetProperty("state").GetString(), told.RootElement.GetProperty("message").GetString()));
    }

    [Fact]
    public async Task A_hook_that_throws_itself_changes_nothing()
    {
        await using var app = await ProducerApp.StartAsync(
            (_, _) => Events.Failing(new InvalidOperationException("first")), o => o.OnFailure = _ => throw new InvalidOperationException("second"));

        Assert.Equal("event: end\ndata: {\"state\":\"failed\"}\n\n", await app.ReadAsync("/answer"));
        Assert.Equal(["first", "second"], app.App.Log.OursAboveDebug.Select(line => line.Exception?.Message));
    }

    [Theory]
    [InlineData("throws")]
    [InlineData("null")]
    [InlineData("with an id")]
    [InlineData("throws after the last")]
    public async Task A_source_that_can_not_be_run_fails(string how)
    {
        await using var app = await ProducerApp.StartAsync((_, _) => how switch
        {
            "throws" => throw new InvalidOperationException("at once"),
            "null" => null!,
            "with an id" => Events.Values([new SseEvent("one") { EventId = "1" }]),
            _ => ThrowsAfterTheLast(),
        });

        Assert.EndsWith("event: end\ndata: {\"state\":\"failed\"}\n\n", await app.ReadAsync("/answer"), StringComparison.Ordinal);
        await app.NothingIsLeftAsync("answer");

        static async IAsyncEnumerable<SseEvent> ThrowsAfterTheLast()
        {
            yield return "one";
            await Task.Yield();
            throw new InvalidOperationException("after the last");
        }
    }

    [Fact]
    public async Task Comments_of_a_source_are_left_out()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Values([SseEvent.Comment("no"), new SseEvent("one")]));

        Assert.Equal("data: one\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync("/answer"));
    }

    [Fact]
    public async Task A_source_that_gives_a_million_events_fails_where_its_topic_is_full_and_nothing_before_that_is_missing()
    {
        var given = 0;
        await using var app = await ProducerApp.StartAsync((_, _) => Endless(), o => o.MaxEvents = 5_000);

        var events = (await app.ReadAsync("/answer")).Split("\n\n");
        Assert.Equal(Enumerable.Range(1, 5_000).Select(i => $"data: {i}"), events[..5_000]);
        Assert.Equal(["event: end\ndata: {\"state\":\"failed\"}", ""], events[5_000..]);
        Assert.Equal(5_001, given);
        Assert.Contains(nameof(SseProducerOptions.MaxEvents), app.App.Log.OursAboveDebug.Single().Exception?.Message, StringComparison.Ordinal);

        IAsyncEnumerable<SseEvent> Endless() => Events.Values(Enumerable.Range(1, 1_000_000).Select(i =>
        {
            given = i;
            return new SseEvent($"{i}");
        }));
    }

    [Fact]
    public async Task A_source_that_gives_too_many_bytes_fails_the_same()
    {
        await using var app = await ProducerApp.StartAsync(
            (_, _) => Events.Values(Enumerable.Repeat(new SseEvent(new string('x', 1_000)), 1_000_000)), o => o.MaxBytes = 10_000);

        var events = (await app.ReadAsync("/answer")).Split("\n\n");
        Assert.Equal("event: end\ndata: {\"state\":\"failed\"}", events[^2]);
        Assert.InRange(events.Length, 8, 12);
        Assert.Contains(nameof(SseProducerOptions.MaxBytes), app.App.Log.OursAboveDebug.Single().Exception?.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stop_ends_it_at_once_whether_its_source_looks_at_the_token_or_not(bool obeys)
    {
        var source = new HandSource(obeys);
        await using var app = await ProducerApp.StartAsync((_, _) => source);
        using var reader = await app.OpenAsync("/answer");
        source.Emit("one");
        await reader.ReadToAsync("\n\n");
        Assert.Equal(["answer"], app.Producers.Running);

        Assert.True(await app.Producers.StopAsync("answer", Stop));
        Assert.Equal("event: end\ndata: {\"state\":\"cancelled\"}\n\n", ProducerApp.WithoutIds(await reader.ReadToEndAsync()));
        await source.Cancelled.Soon();
        Assert.False(await app.Producers.StopAsync("answer", Stop));
        Assert.Empty(app.Producers.Running);
        if (!obeys)
        {
            Assert.False(source.Disposed.IsCompleted);
            source.Emit("late");
        }

        await source.Disposed.Soon();
        Assert.False(source.DisposedInStep);
        await app.NothingIsLeftAsync("answer");
        Assert.Empty(app.App.Log.OursAboveDebug);
    }

    [Fact]
    public async Task A_source_that_computes_without_ever_waiting_can_be_stopped()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Values(Endless()), o => o.MaxEvents = 10_000_000);
        await app.Producers.StartAsync("answer", (_, _) => Events.Values(Endless()), o => (o.MaxEvents, o.MaxBytes) = (10_000_000, 1024 * 1024 * 1024), Stop);

        Assert.True(await app.Producers.StopAsync("answer", Stop).AsTask().Soon());
        Assert.Equal(SseProducerState.Cancelled, await app.Producers.GetStateAsync("answer", Stop));
        await app.NothingIsLeftAsync("answer");

        static IEnumerable<SseEvent> Endless()
        {
            while (true)
            {
                yield return "again";
            }
        }
    }

    [Fact]
    public async Task Nobody_listens_for_a_while_and_the_work_is_abandoned()
    {
        var source = new HandSource();
        await using var app = await ProducerApp.StartAsync((_, _) => source, o => (o.OnDisconnect, o.AbandonAfter) = (SseDisconnect.Abandon, TimeSpan.FromMinutes(1)));
        string id;
        using (var reader = await app.OpenAsync("/answer"))
        {
            source.Emit("one");
            id = ProducerApp.IdOf(await reader.ReadToAsync("\n\n"));
            app.Time.Advance(TimeSpan.FromMinutes(10));
            Assert.False(source.Cancelled.IsCompleted);
        }

        await app.HasNoReadersAsync("answer");
        app.Time.Advance(TimeSpan.FromSeconds(50));
        Assert.Equal(SseProducerState.Running, await app.Producers.GetStateAsync("answer", Stop));
        app.Time.Advance(TimeSpan.FromSeconds(20));

        await source.Cancelled.Soon();
        Assert.Equal("event: end\ndata: {\"state\":\"abandoned\"}\n\n", await app.ReadAsync("/answer", id));
        await app.NothingIsLeftAsync("answer");
    }

    [Fact]
    public async Task Where_a_disconnect_cancels_the_work_ends_with_its_last_reader()
    {
        var source = new HandSource();
        await using var app = await ProducerApp.StartAsync((_, _) => source, o => o.OnDisconnect = SseDisconnect.Cancel);
        var first = await app.OpenAsync("/answer");
        var second = await app.OpenAsync("/answer");
        source.Emit("one");
        await first.ReadToAsync("\n\n");
        await second.ReadToAsync("\n\n");
        first.Dispose();
        app.Time.Advance(TimeSpan.FromSeconds(30));
        source.Emit("two");
        await second.ReadToAsync("\n\n");
        Assert.False(source.Cancelled.IsCompleted);
        second.Dispose();

        await source.Cancelled.Soon();
        await app.IsInStateAsync("answer", SseProducerState.Cancelled);
        await app.NothingIsLeftAsync("answer");
    }

    [Fact]
    public async Task Where_a_disconnect_cancels_and_nobody_ever_came_the_work_waits_for_a_reader_as_long_as_it_may()
    {
        var source = new HandSource();
        await using var app = await ProducerApp.StartAsync((_, _) => source);
        await app.Producers.StartAsync("answer", (_, _) => source, o => (o.OnDisconnect, o.AbandonAfter) = (SseDisconnect.Cancel, TimeSpan.FromMinutes(1)), Stop);
        app.Time.Advance(TimeSpan.FromSeconds(50));
        Assert.False(source.Cancelled.IsCompleted);
        app.Time.Advance(TimeSpan.FromSeconds(20));

        await source.Cancelled.Soon();
        await app.IsInStateAsync("answer", SseProducerState.Abandoned);
    }

    [Fact]
    public async Task Pieces_of_text_that_arrive_within_the_window_are_one_event()
    {
        using var source = new Pieces();
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Of());
        await app.Producers.StartAsync("answer", (_, stop) => source.ReadAsync(stop), configure: o => o.CoalesceWindow = TimeSpan.FromMilliseconds(50), cancellationToken: Stop);
        using var reader = await app.OpenAsync("/answer/attach");
        await source.GiveAsync("Once", " upon");
        app.Time.Advance(TimeSpan.FromMilliseconds(49));
        await source.GiveAsync(" a");
        app.Time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("data: Once upon a", (await reader.ReadToAsync("\n\n")).Split('\n')[0]);
        await source.GiveAsync(" time", ".");
        source.End();

        Assert.Equal("data:  time.\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", ProducerApp.WithoutIds(await reader.ReadToEndAsync()));
        await app.NothingIsLeftAsync("answer");
    }

    [Fact]
    public async Task What_arrived_before_a_failure_goes_out_before_it()
    {
        using var source = new Pieces();
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Of());
        await app.Producers.StartAsync("answer", (_, stop) => source.ReadAsync(stop), configure: o => o.CoalesceWindow = TimeSpan.FromSeconds(1), cancellationToken: Stop);
        await source.GiveAsync("half");
        source.End(new InvalidOperationException());

        Assert.Equal("data: half\n\nevent: end\ndata: {\"state\":\"failed\"}\n\n", await app.ReadAsync("/answer"));
    }

    [Fact]
    public async Task Without_a_window_each_piece_is_an_event()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Of());
        await app.Producers.StartAsync("answer", (_, _) => Events.Values(["a", "b"]), cancellationToken: Stop);

        Assert.Equal("data: a\n\ndata: b\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync("/answer"));
    }

    [Fact]
    public async Task The_type_of_the_end_can_be_chosen()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Of(), options: o => o.EndEventType = "over");

        Assert.Equal("event: over\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync("/answer"));
    }

    [Fact]
    public async Task Inside_the_app_a_producer_is_read_to_its_end_too()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Of());
        await app.Producers.StartAsync("answer", (_, _) => Events.Of("one", "two"), cancellationToken: Stop);

        var read = await app.Producers.AttachAsync("answer", cancellationToken: Stop).ToListAsync(Stop);
        Assert.Equal(["one", "two", "{\"state\":\"done\"}"], read.Select(item => item.Data));
        Assert.Equal("{\"state\":\"lost\"}", (await app.Producers.AttachAsync("nothing", cancellationToken: Stop).SingleAsync(Stop)).Data);
    }

    /// <summary>Pieces of text, each noted before the next is given: it is asked for the next by then.</summary>
    private sealed class Pieces : IDisposable
    {
        private readonly SemaphoreSlim _given = new(0);
        private readonly SemaphoreSlim _taken = new(0);
        private string? _piece;
        private Exception? _failure;

        public async Task GiveAsync(params string[] pieces)
        {
            foreach (var piece in pieces)
            {
                _piece = piece;
                _given.Release();
                Assert.True(await _taken.WaitAsync(TimeSpan.FromSeconds(30), Stop));
            }
        }

        public void Dispose()
        {
            _given.Dispose();
            _taken.Dispose();
        }

        public void End(Exception? failure = null)
        {
            (_piece, _failure) = (null, failure);
            _given.Release();
        }

        public async IAsyncEnumerable<string> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            while (true)
            {
                await _given.WaitAsync(cancellationToken);
                if (_piece is null)
                {
                    if (_failure is not null)
                    {
                        throw _failure;
                    }

                    yield break;
                }

                yield return _piece;
                _taken.Release();
            }
        }
    }
}
