using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Streaming;

public class DisconnectTests
{
    [Theory]
    [InlineData("reset", "1.1")]
    [InlineData("finish", "1.1")]
    [InlineData("close", "1.1")]
    [InlineData("close", "2.0")]
    public async Task A_client_that_leaves_ends_its_source_and_nobody_is_alarmed(string how, string http)
    {
        var finished = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var requestEnded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                NoteEndOf(web, requestEnded);
                web.MapGet("/", () => new EventSourceResult(Cleaning(finished)));
            },
            http);

        await LeaveAsync(app, how, "data: a\n\n");

        await finished.Task.Soon();
        await requestEnded.Task.Soon();
        Assert.Empty(app.WheelsOfKeepAlives());
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [Theory]
    [InlineData("reset", "1.1")]
    [InlineData("finish", "1.1")]
    [InlineData("close", "2.0")]
    public async Task A_source_that_looks_at_the_requests_own_token_alarms_nobody_either(string how, string http)
    {
        // It hears of it before the stream does: the last to register with a token is called first.
        var requestEnded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                NoteEndOf(web, requestEnded);
                web.MapGet("/", (HttpContext context) => new EventSourceResult(Events.ThenSilence("a", context.RequestAborted)));
            },
            http);

        await LeaveAsync(app, how, "data: a\n\n");

        await requestEnded.Task.Soon();
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [Theory]
    [InlineData("reset", "1.1")]
    [InlineData("finish", "1.1")]
    [InlineData("close", "2.0")]
    public async Task A_source_that_looks_at_no_token_holds_its_request_until_its_step_ends(string how, string http)
    {
        var source = new HandSource(obeysToken: false);
        var requestEnded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                NoteEndOf(web, requestEnded);
                web.MapGet("/", () => new EventSourceResult(source));
                web.MapGet("/other", () => "other");
            },
            http);
        source.Emit("a");

        await LeaveAsync(app, how, "data: a\n\n");
        await source.Cancelled.Soon();

        // Time enough to do wrong in, for a stream that would.
        for (var time = 0; time < 3; time++)
        {
            using var other = await app.OpenAsync("/other");
            await other.ReadToEndAsync();
        }

        Assert.False(source.Disposed.IsCompleted);
        Assert.False(requestEnded.Task.IsCompleted);

        source.Emit("too late");
        await source.Disposed.Soon();
        await requestEnded.Task.Soon();
        Assert.False(source.DisposedInStep);
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task The_response_is_over_before_such_a_step_is()
    {
        var body = new CountingBody();
        var source = new HandSource(obeysToken: false);
        using var left = new CancellationTokenSource();
        var context = body.Context();
        context.RequestAborted = left.Token;

        // Without a keep-alive, by which it would find out in the end.
        var running = new EventSourceResult(source, o => o.KeepAliveInterval = Timeout.InfiniteTimeSpan).ExecuteAsync(context);
        await source.IsWaitedForAsync();

        await left.CancelAsync();
        await source.Cancelled.Soon();
        await Waiting.Until(() => body.Completed);
        Assert.False(running.IsCompleted);

        source.End();
        await running.Soon();
        Assert.True(source.Disposed.IsCompleted);
    }

    [Fact]
    public async Task A_source_that_fails_because_its_client_left_is_a_matter_for_debugging()
    {
        var source = new HandSource(obeysToken: false);
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)));
        await LeaveAsync(app, "reset", "", source);
        await source.Cancelled.Soon();

        source.Fail(new InvalidOperationException("broken by the end"));

        await source.Disposed.Soon();
        await Waiting.Until(() => app.Log.Ours.Any());
        Assert.Equal("SourceFailedAfterEnd", Assert.Single(app.Log.Ours).Id.Name);
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task A_source_that_never_waits_ends_too_when_its_client_leaves()
    {
        var finished = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Endless(finished))));
        using (var client = await RawClient.ConnectAsync(app.Port))
        {
            await client.GetAsync("/");
            await client.ReadToAsync("\r\n\r\n");
            client.Reset();
        }

        await finished.Task.Soon();
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task A_topic_forgets_a_reader_that_left()
    {
        var requestEnded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                NoteEndOf(web, requestEnded);
                web.MapSse("/", "orders");
            },
            services: services => services.AddSse());
        await LeaveAsync(app, "reset", "");
        await requestEnded.Task.Soon();
        Assert.Empty(app.WheelsOfKeepAlives());
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task Two_thousand_who_connect_and_vanish_leave_nothing_behind()
    {
        var open = 0;
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.Use(async (context, next) =>
                {
                    Interlocked.Increment(ref open);
                    try
                    {
                        await next(context);
                    }
                    finally
                    {
                        Interlocked.Decrement(ref open);
                    }
                });
                web.MapSse("/topic", "orders");
                web.MapGet("/source", () => new EventSourceResult(Events.Silence()));
            },
            services: services => services.AddSse());

        await Parallel.ForAsync(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = TestContext.Current.CancellationToken }, async (number, _) =>
        {
            using var client = await RawClient.ConnectAsync(app.Port);
            await client.GetAsync(number % 2 == 0 ? "/topic" : "/source");
            if (number % 3 == 0)
            {
                await client.ReadToAsync("\r\n\r\n");
            }

            client.Reset();
        }).Soon();

        // A request that is on its way still shows up as open before the app can stop.
        using (var last = await app.OpenAsync("/source"))
        {
            await Waiting.Until(() => Volatile.Read(ref open) == 1);
        }

        await Waiting.Until(() => Volatile.Read(ref open) == 0);
        Assert.Empty(app.WheelsOfKeepAlives());
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    private static void NoteEndOf(WebApplication web, TaskCompletionSource requestEnded) => web.Use(async (context, next) =>
    {
        try
        {
            await next(context);
        }
        finally
        {
            if (context.Request.Path == "/")
            {
                requestEnded.SetResult();
            }
        }
    });

    private static async Task LeaveAsync(TestApp app, string how, string after, HandSource? source = null)
    {
        if (how == "close")
        {
            using var stream = await app.OpenAsync("/");
            await stream.ExpectAsync(after);
            return;
        }

        using var client = await RawClient.ConnectAsync(app.Port);
        await client.GetAsync("/");
        await client.ReadToAsync(after.Length > 0 ? after + "\r\n" : "\r\n\r\n");
        if (source is not null)
        {
            await source.IsWaitedForAsync();
        }

        if (how == "reset")
        {
            client.Reset();
        }
        else
        {
            client.Finish();
            await client.ReadToAsync(null);
        }
    }

    private static async IAsyncEnumerable<SseEvent> Cleaning(TaskCompletionSource finished, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        try
        {
            yield return "a";
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        finally
        {
            finished.SetResult();
        }
    }

#pragma warning disable CS1998 // No await, since it must never be pending.
    private static async IAsyncEnumerable<SseEvent> Endless(TaskCompletionSource finished)
    {
        try
        {
            while (true)
            {
                yield return "on and on";
            }
        }
        finally
        {
            finished.SetResult();
        }
    }
#pragma warning restore CS1998
}
