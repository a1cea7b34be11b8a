using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Watching;

/// <summary>The headers of a stream that says nothing yet.</summary>
public class EarlyHeaderTests
{
    private static readonly Dictionary<string, Func<HttpContext, Task>> Beginnings = new()
    {
        ["StartAsync"] = context => context.Response.StartAsync(),
        ["Body.FlushAsync"] = context => context.Response.Body.FlushAsync(),
        ["BodyWriter.FlushAsync"] = context => context.Response.BodyWriter.FlushAsync().AsTask(),
        ["a comment"] = context => context.Response.WriteAsync(": hello\n"),
    };

    public static MatrixTheoryData<string, bool, string> EveryBeginning() => new(["1.1", "2.0"], [false, true], [.. Beginnings.Keys]);

    [Theory]
    [MemberData(nameof(EveryBeginning))]
    public async Task A_silent_stream_shows_its_headers_once_it_starts_flushes_or_writes(string http, bool yields, string beginning)
    {
        var time = new FakeTimeProvider();
        var silence = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, yields, time, web => web.MapGet("/", async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await Beginnings[beginning](context);
            await silence.Task;
        }));
        using var reading = ArrivingBytes.Of(app, "/");
        AssertOurHeaders(await reading.Started.Soon(), "no-cache, no-store, no-transform");
        var comment = beginning == "a comment" ? ": hello\n" : "";
        await reading.ExpectAsync(comment);
        for (var i = 0; i < 3; i++)
        {
            await reading.SilenceAsync(time);
        }

        await reading.ExpectAsync(comment + ":\n");

        silence.SetResult();
        await reading.ToEndAsync();
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task The_frameworks_own_result_shows_its_headers_while_its_source_is_silent(string http)
    {
        var time = new FakeTimeProvider();
        var silence = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, yields: false, time, web => web.MapGet("/", () => TypedResults.ServerSentEvents(AfterAsync(silence.Task))));
        using var reading = ArrivingBytes.Of(app, "/");
        AssertOurHeaders(await reading.Started.Soon(), "no-cache,no-store, no-transform");
        await reading.SilenceAsync(time);
        await reading.ExpectAsync(":\n");
        silence.SetResult();
        await reading.ExpectAllAsync(":\ndata: one\n\ndata: two\n\n");
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Where_something_had_yielded_before_the_headers_come_with_the_first_write(string http)
    {
        var time = new FakeTimeProvider();
        var silence = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, yields: true, time, web => web.MapGet("/", () => TypedResults.ServerSentEvents(AfterAsync(silence.Task, more.Task))));
        using var reading = ArrivingBytes.Of(app, "/");
        silence.SetResult();
        AssertOurHeaders(await reading.Started.Soon(), "no-cache,no-store, no-transform");
        await reading.ExpectAsync("data: one\n\n");
        await reading.SilenceAsync(time);
        await reading.ExpectAsync("data: one\n\n:\n");
        more.SetResult();
        await reading.ExpectAllAsync("data: one\n\n:\ndata: two\n\n");
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Where_the_response_is_wrapped_once_more_the_headers_come_with_the_first_write(string http)
    {
        var waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var silence = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.Use((_, next) =>
                {
                    var request = next();
                    waiting.SetResult();
                    return request;
                });
                web.UseSse();
                web.Use(async (context, next) =>
                {
                    var body = context.Response.Body;
                    context.Response.Body = new LateHeaderStream(context, body);
                    await next();
                    context.Response.Body = body;
                });
                web.MapGet("/", () => TypedResults.ServerSentEvents(AfterAsync(silence.Task)));
            },
            http);
        using var reading = ArrivingBytes.Of(app, "/");
        await waiting.Task.Soon();
        silence.SetResult();
        var response = await reading.Started.Soon();
        AssertOurHeaders(response, "no-cache,no-store, no-transform");
        Assert.Equal("yes", response.Headers.GetValues("X-Late").Single());
        await reading.ExpectAllAsync("data: one\n\ndata: two\n\n");
    }

    [Fact]
    public async Task An_announced_stream_whose_source_is_ready_a_moment_later_is_not_torn()
    {
        await using var app = await StartAsync("1.1", yields: false, new FakeTimeProvider(), web =>
            web.MapGet("/", () => TypedResults.ServerSentEvents(AfterAYieldAsync())));
        await Parallel.ForEachAsync(Enumerable.Range(0, 400), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, stop) =>
            Assert.Equal("data: one\n\ndata: two\n\n", await app.Client.GetStringAsync("/", stop)));
        Assert.Empty(app.Log.Troubles);
    }

    private static Task<TestApp> StartAsync(string http, bool yields, FakeTimeProvider time, Action<WebApplication> map) => TestApp.StartAsync(
        web =>
        {
            web.UseSse();
            if (yields)
            {
                web.Use(async (_, next) =>
                {
                    await Task.Yield();
                    await next();
                });
            }

            map(web);
        },
        http,
        time: time);

    private static void AssertOurHeaders(HttpResponseMessage response, string cacheControl)
    {
        Assert.Equal(cacheControl, response.Headers.NonValidated["Cache-Control"].ToString());
        Assert.Equal("no", response.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.Equal(["identity"], response.Content.Headers.ContentEncoding);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.False(response.Headers.Contains("Connection"));
    }

    private static async IAsyncEnumerable<string> AfterAsync(Task first, Task? second = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await first.WaitAsync(cancellationToken);
        yield return "one";
        await (second ?? Task.CompletedTask).WaitAsync(cancellationToken);
        yield return "two";
    }

    private static async IAsyncEnumerable<string> AfterAYieldAsync()
    {
        await Task.Yield();
        yield return "one";
        await Task.Yield();
        yield return "two";
    }

    /// <summary>As compression does: it sets a header when the first byte comes.</summary>
    private sealed class LateHeaderStream(HttpContext context, Stream inner) : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (!context.Response.HasStarted)
            {
                context.Response.Headers["X-Late"] = "yes";
            }

            return inner.WriteAsync(buffer, cancellationToken);
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
    }
}
