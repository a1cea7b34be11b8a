using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Kit;

public class StreamTests
{
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    [InlineData("memory")]
    public async Task A_client_that_is_cut_off_comes_back_with_its_last_id_and_gets_what_it_missed(string server)
    {
        await using var app = await StartAsync(server, web => web.MapSse("/live", "orders"), services => services.AddSse());
        var topics = app.Web.Services.GetRequiredService<ISseTopics>();
        await using var stream = await app.Client.OpenSseAsync("/live", cancellationToken: Stop);

        var position = await stream.NextAsync(Stop);
        Assert.Equal((SseTestItemKind.Silent, stream.LastEventId), (position.Kind, position.EventId));
        var id = await topics.PublishAsync("orders", SseEvent.Json(new { What = "tea" }) with { EventType = "created" }, Stop);
        var first = await stream.NextEventAsync(Stop);
        stream.Cut();
        await topics.PublishAsync("orders", "missed", Stop);
        await stream.ReconnectAsync(Stop);
        var second = await stream.NextEventAsync(Stop);

        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (stream.StatusCode, stream.ContentType));
        Assert.Equal(("created", id, "tea"), (first.EventType, first.EventId, first.Json<JsonElement>().GetProperty("what").GetString()));
        Assert.Equal("missed", second.Data);
        Assert.Equal([position, first, second], stream.Received);
        Assert.Equal(second.EventId, stream.LastEventId);
        Assert.Equal($"data: missed\nid: {second.EventId}\n\n", stream.Text);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    [InlineData("memory")]
    public async Task A_cut_is_felt_by_the_server_at_once(string server)
    {
        var source = new HandSource();
        await using var app = await StartAsync(server, web => web.MapGet("/", () => new EventSourceResult(source)));

        // A client that would rather read on for ever than give up a connection.
        using var patient = new HttpClient(new SocketsHttpHandler { UseProxy = false, ResponseDrainTimeout = Timeout.InfiniteTimeSpan, MaxResponseDrainSize = int.MaxValue })
        {
            BaseAddress = app.Client.BaseAddress,
            DefaultRequestVersion = app.Client.DefaultRequestVersion,
            DefaultVersionPolicy = app.Client.DefaultVersionPolicy,
        };
        var stream = await (server == "memory" ? app.Client : patient).OpenSseAsync("/", cancellationToken: Stop);
        source.Emit("a");
        await stream.NextEventAsync(Stop);

        stream.Cut();

        await source.Cancelled.Soon();
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => stream.NextAsync(Stop));
        Assert.Contains("was cut", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keep_alives_are_seen_under_a_fake_clock()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => new EventSourceResult(source)), time: _time);
        await using var stream = await app.Client.OpenSseAsync("/", cancellationToken: Stop);

        var keepAlive = await stream.NextCommentAsync(() => _time.Advance(TimeSpan.FromSeconds(1)), Stop);
        source.Emit("a");
        await stream.NextEventAsync(Stop);

        Assert.Equal((SseTestItemKind.Comment, ""), (keepAlive.Kind, keepAlive.Data));
        Assert.Contains(":\n", stream.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_events_of_an_app_without_the_library_are_read_to_their_end()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => TypedResults.ServerSentEvents(Events.Values(["a", "b"]), "letter")));
        await using var stream = await app.Client.OpenSseAsync("/", cancellationToken: Stop);
        var read = new List<SseTestItem>();
        await foreach (var item in stream.ReadEventsAsync(Stop))
        {
            read.Add(item);
        }

        Assert.Equal([("letter", "a"), ("letter", "b")], read.Select(item => (item.EventType, item.Data)));
        var failure = await Assert.ThrowsAsync<EndOfStreamException>(() => stream.NextEventAsync(Stop));
        Assert.Contains("letter: a\n  letter: b", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wait_in_vain_tells_what_has_come_and_leaves_the_stream_as_it_was()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => new EventSourceResult(source)));
        await using var stream = await app.Client.OpenSseAsync("/", o => (o.Guard, o.GuardTime) = (TimeSpan.FromMinutes(1), _time), Stop);
        source.Emit(new SseEvent("first", "letter"));
        await stream.NextEventAsync(Stop);

        var second = stream.NextEventAsync(Stop);
        _time.Advance(TimeSpan.FromMinutes(1));
        var failure = await Assert.ThrowsAsync<TimeoutException>(() => second.Soon());
        using var impatient = new CancellationTokenSource();
        var third = stream.NextEventAsync(impatient.Token);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => third.Soon());
        source.Emit("late");

        Assert.Contains("00:01:00", failure.Message, StringComparison.Ordinal);
        Assert.Contains("letter: first", failure.Message, StringComparison.Ordinal);
        Assert.Equal("late", (await stream.NextEventAsync(Stop)).Data);
    }

    [Fact]
    public async Task Headers_that_do_not_come_are_a_wait_in_vain_as_well()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", async (CancellationToken stop) =>
        {
            asked.SetResult();
            await Task.Delay(Timeout.Infinite, stop);
        }));

        var opening = app.Client.OpenSseAsync("/", o => (o.Guard, o.GuardTime) = (TimeSpan.FromMinutes(1), _time), Stop);
        await asked.Task.Soon();
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Contains("no headers within 00:01:00", (await Assert.ThrowsAsync<TimeoutException>(() => opening.Soon())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_is_no_stream_is_told_when_it_is_read()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => Results.Text("who are you?", statusCode: 401)));
        await using var stream = await app.Client.OpenSseAsync("/", cancellationToken: Stop);

        Assert.Equal((HttpStatusCode.Unauthorized, true), (stream.StatusCode, stream.StaysAway));
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => stream.NextEventAsync(Stop));
        Assert.Contains("401", failure.Message, StringComparison.Ordinal);
        Assert.Contains("who are you?", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_browser_that_was_answered_204_stays_away()
    {
        var server = new GivenAnswers(() => GivenAnswers.Stream("retry: 70\nid: 1\ndata: a\n\ndata: b"), () => new HttpResponseMessage(HttpStatusCode.NoContent));
        using var client = server.Client();
        await using var stream = await client.OpenSseAsync("/live", cancellationToken: Stop);
        var all = await stream.ReadToEndAsync(Stop);
        Assert.False(stream.StaysAway);

        await stream.ReconnectAsync(Stop);

        Assert.True(stream.StaysAway);
        Assert.Equal(("a", TimeSpan.FromMilliseconds(70)), (Assert.Single(all).Data, stream.ReconnectionInterval));
        Assert.Equal(["1"], server.Requests[1].Headers.GetValues("Last-Event-ID"));
        Assert.False(server.Requests[0].Headers.Contains("Last-Event-ID"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => stream.ReconnectAsync(Stop));
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task What_is_cut_off_in_the_middle_of_a_block_is_no_event_and_no_id()
    {
        var server = new GivenAnswers(() => GivenAnswers.Stream("id: 1\ndata: a\n\nid: 2\ndata: b\n"), () => GivenAnswers.Stream("\ndata: c\n\n"));
        using var client = server.Client();
        await using var stream = await client.OpenSseAsync("/", o => o.Request = request => request.Headers.Add("X-User", "ann"), Stop);
        await stream.ReadToEndAsync(Stop);
        await stream.ReconnectAsync(Stop);
        await stream.ReadToEndAsync(Stop);

        Assert.Equal(["message #1: a", "message: c"], stream.Received.Select(item => item.ToString()));
        Assert.Equal("1", stream.LastEventId);
        Assert.Equal(["1"], server.Requests[1].Headers.GetValues("Last-Event-ID"));
        Assert.All(server.Requests, request => Assert.Equal(["ann"], request.Headers.GetValues("X-User")));
        Assert.All(server.Requests, request => Assert.Equal("text/event-stream", request.Headers.Accept.ToString()));
    }

    [Fact]
    public async Task A_connection_that_breaks_is_no_end()
    {
        var read = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: a\n\n");
            await context.Response.Body.FlushAsync();
            await read.Task;
            context.Abort();
        }));
        await using var stream = await app.Client.OpenSseAsync("/", o => o.LastEventId = "7", Stop);
        await stream.NextEventAsync(Stop);
        read.SetResult();

        var failure = await Assert.ThrowsAnyAsync<IOException>(() => stream.ReadToEndAsync(Stop));
        Assert.IsNotType<EndOfStreamException>(failure);
        Assert.Equal("7", stream.LastEventId);
    }

    [Fact]
    public async Task Data_that_is_no_JSON_of_the_type_is_quoted()
    {
        using var client = new GivenAnswers(() => GivenAnswers.Stream("data: tea\n\n")).Client();
        await using var stream = await client.OpenSseAsync("/", cancellationToken: Stop);
        var item = await stream.NextEventAsync(Stop);

        Assert.Contains("'message: tea'", Assert.Throws<JsonException>(() => item.Json<int>()).Message, StringComparison.Ordinal);
    }

    private static Task<TestApp> StartAsync(string server, Action<WebApplication> map, Action<IServiceCollection>? services = null) =>
        server == "memory" ? TestApp.StartInMemoryAsync(map, services) : TestApp.StartAsync(map, server, services);
}
