using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Producing;

/// <summary>Answers that outlive the connection.</summary>
public sealed class ProducerTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Whoever_comes_sees_the_whole_and_how_it_ended()
    {
        var source = new HandSource();
        await using var app = await ProducerApp.StartAsync((_, _) => source);
        using var first = await app.OpenAsync("/answer");
        source.Emit("one");
        Assert.Equal("data: one\n", ProducerApp.WithoutIds(await first.ReadToAsync("\n\n"))[..^1]);
        source.Emit("two");
        using var second = await app.OpenAsync("/answer");
        source.End();

        const string End = "event: end\ndata: {\"state\":\"done\"}\n\n";
        Assert.Equal("data: two\n\n" + End, ProducerApp.WithoutIds(await first.ReadToEndAsync()));
        Assert.Equal("data: one\n\ndata: two\n\n" + End, ProducerApp.WithoutIds(await second.ReadToEndAsync()));
        Assert.Equal("data: one\n\ndata: two\n\n" + End, await app.ReadAsync("/answer"));
        Assert.Equal(SseProducerState.Done, await app.Producers.GetStateAsync("answer", Stop));
        await app.NothingIsLeftAsync("answer");
        Assert.Empty(app.App.Log.OursAboveDebug);
    }

    [Fact]
    public async Task The_work_goes_on_when_its_only_reader_leaves_and_who_comes_back_misses_nothing()
    {
        var source = new HandSource();
        await using var app = await ProducerApp.StartAsync((_, _) => source);
        string id;
        using (var gone = await app.OpenAsync("/answer"))
        {
            source.Emit("one");
            id = ProducerApp.IdOf(await gone.ReadToAsync("\n\n"));
        }

        await Streaming.Waiting.Until(() => !app.Engine.HasReaders("answer"));
        app.Time.Advance(TimeSpan.FromHours(1));
        source.Emit("two");
        source.End();

        Assert.Equal("data: two\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync("/answer", id));
        Assert.False(source.Cancelled.IsCompleted && source.DisposedInStep);
    }

    [Fact]
    public async Task Who_has_been_told_the_end_gets_204_and_who_is_behind_it_gets_the_rest()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Of("one", "two"));
        using var first = await app.OpenAsync("/answer");
        var frames = (await first.ReadToEndAsync()).Split("\n\n");
        var (one, end) = (ProducerApp.IdOf(frames[0]), ProducerApp.IdOf(frames[2]));

        foreach (var path in new[] { "/answer", "/answer/attach" })
        {
            using var told = await app.OpenAsync(path, end);
            Assert.Equal(HttpStatusCode.NoContent, told.Status);
            Assert.Equal("data: two\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync(path, one));
        }
    }

    [Fact]
    public async Task A_client_with_an_id_of_a_producer_that_is_gone_is_told_so_and_then_stays_away()
    {
        var starts = 0;
        await using var app = await ProducerApp.StartAsync((_, _) =>
        {
            starts++;
            return Events.Of("one");
        });
        string id;
        using (var first = await app.OpenAsync("/answer"))
        {
            id = ProducerApp.IdOf((await first.ReadToEndAsync()).Split("\n\n")[0]);
        }

        await app.NothingIsLeftAsync("answer");
        foreach (var path in new[] { "/answer", "/answer/attach" })
        {
            using var late = await app.OpenAsync(path, id);
            var told = await late.ReadToEndAsync();
            Assert.Equal($"event: gap\ndata: {{\"reason\":\"unknown\",\"requested\":\"{id}\"}}\n\nevent: end\ndata: {{\"state\":\"lost\"}}\nid: lost.end\n\n", told);
            using var back = await app.OpenAsync(path, "lost.end");
            Assert.Equal(HttpStatusCode.NoContent, back.Status);
        }

        Assert.Equal(1, starts);
        Assert.Equal("data: one\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync("/answer"));
        Assert.Equal(2, starts);
    }

    [Fact]
    public async Task Who_attaches_where_there_is_nothing_gets_204_and_starts_nothing()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => throw new InvalidOperationException("It was started."));
        using var attached = await app.OpenAsync("/answer/attach");

        Assert.Equal(HttpStatusCode.NoContent, attached.Status);
        Assert.Equal(SseProducerState.None, await app.Producers.GetStateAsync("answer", Stop));
    }

    [Fact]
    public async Task A_POST_starts_and_streams_and_a_GET_goes_on_with_it()
    {
        var source = new HandSource();
        await using var app = await ProducerApp.StartAsync((_, _) => source);
        string id;
        using (var request = new HttpRequestMessage(HttpMethod.Post, "/answer"))
        using (var response = await app.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop).Soon())
        using (var posted = new ClientStream(response, await response.Content.ReadAsStreamAsync(Stop)))
        {
            source.Emit("one");
            id = ProducerApp.IdOf(await posted.ReadToAsync("\n\n"));
        }

        source.Emit("two");
        source.End();
        Assert.Equal("data: two\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync("/answer/attach", id));
    }

    [Fact]
    public async Task A_source_has_services_of_its_own_and_nothing_of_the_request()
    {
        var flowed = new AsyncLocal<string>();
        string? seen = "not run";
        Scoped? used = null;
        await using var app = await ProducerApp.StartAsync(
            (services, _) =>
            {
                used = services.GetRequiredService<Scoped>();
                seen = flowed.Value ?? System.Diagnostics.Activity.Current?.Id;
                return Events.Of("one");
            },
            services: services => services.AddScoped<Scoped>());
        flowed.Value = "the request's";
        using var activity = new System.Diagnostics.Activity("request").Start();
        Assert.True(await app.Producers.StartAsync("answer", (services, stop) =>
        {
            used = services.GetRequiredService<Scoped>();
            seen = flowed.Value ?? System.Diagnostics.Activity.Current?.Id;
            return Events.Of("one");
        }, cancellationToken: Stop));

        await app.IsInStateAsync("answer", SseProducerState.Done);
        await Streaming.Waiting.Until(() => used!.Disposed);
        Assert.Null(seen);
    }

    [Fact]
    public async Task Values_are_JSON_and_strings_are_text()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => Events.Of());
        await app.Producers.StartAsync("numbers", (_, _) => Events.Values([1, 2]), "number", cancellationToken: Stop);
        await app.Producers.StartAsync("texts", (_, _) => Events.Values(["a", "b"]), cancellationToken: Stop);

        Assert.Equal("event: number\ndata: 1\n\nevent: number\ndata: 2\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync("/numbers"));
        Assert.Equal("data: a\n\ndata: b\n\nevent: end\ndata: {\"state\":\"done\"}\n\n", await app.ReadAsync("/texts"));
    }

    [Fact]
    public async Task Nobody_else_publishes_to_a_producers_topic()
    {
        var source = new HandSource();
        await using var app = await ProducerApp.StartAsync((_, _) => source);
        var topics = app.App.Web.Services.GetRequiredService<ISseTopics>();
        await app.Producers.StartAsync("answer", (_, _) => source, cancellationToken: Stop);

        await Assert.ThrowsAsync<SseFencedException>(() => topics.PublishAsync("answer", "mine", Stop).AsTask());
        source.End();
        await app.IsInStateAsync("answer", SseProducerState.Done);
        await Assert.ThrowsAsync<SseFencedException>(() => topics.PublishAsync("answer", "mine", Stop).AsTask());
        await topics.PublishAsync("orders", "mine", Stop);
        await Assert.ThrowsAsync<InvalidOperationException>(() => app.Producers.StartAsync("orders", (_, _) => source, cancellationToken: Stop).AsTask());
    }

    [Fact]
    public async Task A_HEAD_request_starts_nothing()
    {
        await using var app = await ProducerApp.StartAsync((_, _) => throw new InvalidOperationException("It was started."));
        using var request = new HttpRequestMessage(HttpMethod.Head, "/answer");
        using var response = await app.App.Client.SendAsync(request, Stop).Soon();

        Assert.Equal("text/event-stream", response.EnsureSuccessStatusCode().Content.Headers.ContentType?.ToString());
        Assert.Equal(SseProducerState.None, await app.Producers.GetStateAsync("answer", Stop));
    }

    [Fact]
    public async Task A_store_without_leases_is_named()
    {
        await using var app = await ProducerApp.StartAsync(
            (_, _) => Events.Of(), services: services => services.AddSingleton<ISseBacklog>(new Topics.SlowPagingBacklog()));

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => app.Producers.StartAsync("answer", (_, _) => Events.Of(), cancellationToken: Stop).AsTask());
        Assert.Contains(nameof(Topics.SlowPagingBacklog), refused.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(ISseLeases), refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_hundred_who_come_at_the_same_time_start_it_once(int round)
    {
        var starts = 0;
        await using var app = await ProducerApp.StartAsync((_, _) =>
        {
            Interlocked.Increment(ref starts);
            return Events.Of("one", $"{round}");
        });
        using var begin = new Barrier(4);
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            begin.SignalAndWait(Stop);
            return await Task.WhenAll(Enumerable.Range(0, 25).Select(_ => app.ReadAsync("/answer")));
        }, Stop))).Soon();

        Assert.Equal(1, starts);
        Assert.All(answers.SelectMany(some => some), answer => Assert.Equal($"data: one\n\ndata: {round}\n\nevent: end\ndata: {{\"state\":\"done\"}}\n\n", answer));
    }

    [Theory]
    [InlineData("OnDisconnect is 9, which is no SseDisconnect")]
    [InlineData("AbandonAfter is 00:00:00; it must be between 100 ms and one day")]
    [InlineData("RetainFor is 8.00:00:00; it must be between 1 s and 7 days")]
    [InlineData("MaxEvents is 0; it must be between 1 and 10000000")]
    [InlineData("MaxBytes is 1; it must be between 1024 and 1073741824")]
    [InlineData("CoalesceWindow is 00:00:11; it must be between 00:00:00 and 00:00:10")]
    public void A_wrong_choice_is_refused_where_it_is_made(string fault)
    {
        var refused = Assert.Throws<ArgumentException>(() => EventSourceResult.FromProducer("answer", o =>
        {
            o.OnDisconnect = fault.StartsWith("OnDisconnect", StringComparison.Ordinal) ? (SseDisconnect)9 : default;
            o.AbandonAfter = fault.StartsWith("AbandonAfter", StringComparison.Ordinal) ? default : o.AbandonAfter;
            o.RetainFor = fault.StartsWith("RetainFor", StringComparison.Ordinal) ? TimeSpan.FromDays(8) : o.RetainFor;
            o.MaxEvents = fault.StartsWith("MaxEvents", StringComparison.Ordinal) ? 0 : o.MaxEvents;
            o.MaxBytes = fault.StartsWith("MaxBytes", StringComparison.Ordinal) ? 1 : o.MaxBytes;
            o.CoalesceWindow = fault.StartsWith("CoalesceWindow", StringComparison.Ordinal) ? TimeSpan.FromSeconds(11) : default;
        }));
        Assert.Contains(fault, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_AddSse_a_producer_says_what_is_missing()
    {
        await using var app = await TestApp.StartInMemoryAsync(web =>
        {
            web.UseExceptionHandler(new ExceptionHandlerOptions { ExceptionHandler = _ => Task.CompletedTask });
            web.MapGet("/", () => EventSourceResult.FromProducer("answer", (_, _) => Events.Of("one")));
        });
        using var response = await app.Client.GetAsync(new Uri("/", UriKind.Relative), Stop).Soon();

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains(app.Log.Troubles, line => line.Exception?.Message.Contains("AddSse()", StringComparison.Ordinal) == true);
    }

    private sealed class Scoped : IAsyncDisposable
    {
        public bool Disposed { get; private set; }

        public ValueTask DisposeAsync()
        {
            Disposed = true;
            return default;
        }
    }
}
