using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Streaming;
using SseKit.Tests.Streaming;
using SseKit.Watching;
using static SseKit.Tests.Streaming.Waiting;

namespace SseKit.Tests.Watching;

/// <summary>What the host's stop means to streams that SseKit does not write. The host would wait for them ten minutes, so a stop that hangs is seen.</summary>
public sealed class DrainTests
{
    private readonly TaskCompletionSource _never = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static MatrixTheoryData<string, string, string> Everyones() => new(
        ["1.1", "2.0"],
        ["framework", "bound token", "token of the context", "late"],
        ["", "timeouts before", "timeouts after", "yields before", "exception handler after"]);

    [Theory]
    [MemberData(nameof(Everyones))]
    public async Task Everyones_stream_ends_at_once_and_cleanly_with_a_time_to_come_back_at(string http, string way, string with)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                if (with == "timeouts before")
                {
                    web.UseRequestTimeouts();
                }

                web.UseSse();
                if (with == "timeouts after")
                {
                    web.UseRequestTimeouts();
                }
                else if (with == "exception handler after")
                {
                    web.UseExceptionHandler(error => error.Run(context => context.Response.WriteAsync("an error page")));
                }
                else if (with == "yields before")
                {
                    web.Use(async (context, next) =>
                    {
                        await Task.Yield();
                        await next(context);
                    });
                }

                web.MapGet("/framework", (CancellationToken stop) => TypedResults.ServerSentEvents(Texts(stop)));
                web.MapGet("/bound token", (HttpContext context, CancellationToken stop) => WriteAsync(context, () => stop));
                web.MapGet("/token of the context", (HttpContext context) => WriteAsync(context, () => context.RequestAborted));
                web.MapGet("/late", async (HttpContext context, CancellationToken stop) =>
                {
                    await Task.Yield();
                    await WriteAsync(context, () => stop);
                });
            },
            http,
            services =>
            {
                services.AddRequestTimeouts(timeouts => timeouts.DefaultPolicy = new() { Timeout = TimeSpan.FromMinutes(5) });
                services.Configure<SseOptions>(options =>
                {
                    options.ReconnectDelay = TimeSpan.FromSeconds(20);
                    options.ReconnectSpread = TimeSpan.FromSeconds(10);
                });
            });
        using var stream = await app.OpenAsync($"/{way}");
        await stream.ReadToAsync("data: a\n\n");

        await app.Web.StopAsync(TestContext.Current.CancellationToken).Soon();

        var rest = await stream.ReadToEndAsync();
        var retry = Regex.Match(rest, @"\Aretry: (\d+)\n\z");
        Assert.True(retry.Success, rest);
        Assert.InRange(int.Parse(retry.Groups[1].Value, CultureInfo.InvariantCulture), 20_000, 30_000);
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_stream_of_the_framework_that_has_sent_nothing_yet_ends_too_and_is_no_error(string http)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.UseExceptionHandler(error => error.Run(context => context.Response.WriteAsync("an error page")));
                web.Use(async (context, next) =>
                {
                    await Task.Yield();
                    await next(context);
                });
                web.MapGet("/", (CancellationToken stop) => TypedResults.ServerSentEvents(Silence(stop)));
            },
            http);
        using var reading = ArrivingBytes.Of(app, "/");
        await Until(() => app.OpenStreams() == 1);

        await app.Web.StopAsync(TestContext.Current.CancellationToken).Soon();

        Assert.Equal(200, (int)(await reading.Started.Soon()).StatusCode);
        Assert.StartsWith("retry: ", System.Text.Encoding.ASCII.GetString(await reading.ToEndAsync()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task What_is_no_stream_is_not_aborted(string http)
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.MapGet("/stream", (CancellationToken stop) => TypedResults.ServerSentEvents(Texts(stop)));
                web.MapGet("/work", async (HttpContext context, CancellationToken stop) =>
                {
                    asked.SetResult();
                    await go.Task.WaitAsync(stop);
                    return $"{stop.IsCancellationRequested} {context.RequestAborted.IsCancellationRequested}";
                });
            },
            http);
        using var stream = await app.OpenAsync("/stream");
        var work = app.Client.GetStringAsync("/work", TestContext.Current.CancellationToken);
        await asked.Task.Soon();

        var stopping = app.Web.StopAsync(TestContext.Current.CancellationToken);
        await stream.ReadToEndAsync();
        go.SetResult();

        Assert.Equal("False False", await work.Soon());
        await stopping.Soon();
    }

    [Theory]
    [InlineData("1.1", false, false)]
    [InlineData("1.1", true, true)]
    [InlineData("2.0", false, true)]
    [InlineData("2.0", true, false)]
    public async Task An_app_that_looks_at_no_token_is_left_behind_after_a_grace(string http, bool writes, bool yields)
    {
        var ended = new TaskCompletionSource<Exception?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.MapGet("/", async context =>
                {
                    if (yields)
                    {
                        await Task.Yield();
                    }

                    context.Response.ContentType = "text/event-stream";
                    await context.Response.WriteAsync("data: a\n\n", CancellationToken.None);
                    var body = context.Response.Body;
                    if (!writes)
                    {
                        await _never.Task;
                    }

                    ended.SetResult(await Record.ExceptionAsync(async () =>
                    {
                        while (true)
                        {
                            await body.WriteAsync("data: on and on\n\n"u8.ToArray(), CancellationToken.None);
                            await Task.Delay(1, CancellationToken.None);
                        }
                    }));
                    throw new TimeZoneNotFoundException("left behind");
                });
            },
            http);
        using var stream = await app.OpenAsync("/");
        await stream.ReadToAsync("data: a\n\n");

        var end = stream.ReadToEndAsync();
        await app.Web.StopAsync(TestContext.Current.CancellationToken).Soon();

        Assert.Matches(@"\A(data: on and on\n\n)*retry: \d+\n\z", await end);
        _never.SetResult();
        Assert.IsType<OperationCanceledException>(await ended.Task.Soon());
        Assert.Empty(app.Log.Troubles);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_client_that_does_not_read_and_an_app_that_does_not_look_hold_up_no_stop(string http)
    {
        var written = 0;
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.MapGet("/", async context =>
                {
                    context.Response.ContentType = "text/event-stream";
                    var text = new string('x', 10_000);
                    while (true)
                    {
                        await context.Response.WriteAsync($"data: {text}\n\n", CancellationToken.None);
                        Interlocked.Increment(ref written);
                    }
                });
            },
            http);
        using var stream = await app.OpenAsync("/");
        var (last, same) = (0, 0);
        await Until(() =>
        {
            var now = Volatile.Read(ref written);
            (last, same) = (now, now == last ? same + 1 : 0);
            return now > 0 && same >= 20;
        });

        await app.Web.StopAsync(TestContext.Current.CancellationToken).Soon();
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_stream_that_begins_while_the_app_stops_ends_at_once(string http)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.MapGet("/", (HttpContext context, CancellationToken stop) => WriteAsync(context, () => stop));
            },
            http);
        app.Web.Lifetime.StopApplication();

        using var stream = await app.OpenAsync("/");

        Assert.Matches(@"\A(data: a\n\n)?retry: \d+\n\z", await stream.ReadToEndAsync());
    }

    [Fact]
    public async Task Who_gives_a_stream_up_because_it_was_told_to_end_does_not_cut_it_off()
    {
        await using var app = await TestApp.StartAsync(web =>
        {
            web.UseSse();
            web.MapGet("/", async (HttpContext context, CancellationToken stop) =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: a\n\n", stop);
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                context.Abort();
            });
        });
        using var stream = await app.OpenAsync("/");
        await stream.ReadToAsync("data: a\n\n");

        await app.Web.StopAsync(TestContext.Current.CancellationToken).Soon();

        Assert.StartsWith("retry: ", await stream.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_put_into_the_middle_of_an_event()
    {
        await using var app = await TestApp.StartAsync(web =>
        {
            web.UseSse();
            web.MapGet("/", async (HttpContext context, CancellationToken stop) =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: a\n\ndata: half", stop);
                await Task.Delay(Timeout.Infinite, stop);
            });
        });
        using var stream = await app.OpenAsync("/");
        await stream.ReadToAsync("half");

        await app.Web.StopAsync(TestContext.Current.CancellationToken).Soon();

        Assert.Equal("", await stream.ReadToEndAsync());
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task An_app_may_say_a_last_word_of_its_own_and_one_that_fails_for_another_reason_has_failed()
    {
        await using var app = await TestApp.StartAsync(web =>
        {
            web.UseSse();
            web.MapGet("/word", async (HttpContext context, CancellationToken stop) =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: a\n\n", stop);
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await context.Response.WriteAsync("data: goodbye\n\n", CancellationToken.None);
            });
            web.MapGet("/failure", async (HttpContext context, CancellationToken stop) =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: a\n\n", stop);
                await Task.Delay(Timeout.Infinite, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw new InvalidOperationException("on purpose");
            });
        });
        using var word = await app.OpenAsync("/word");
        using var failure = await app.OpenAsync("/failure");
        await word.ReadToAsync("data: a\n\n");
        await failure.ReadToAsync("data: a\n\n");

        await app.Web.StopAsync(TestContext.Current.CancellationToken).Soon();

        Assert.Matches(@"\Adata: goodbye\n\nretry: \d+\n\z", await word.ReadToEndAsync());
        await Assert.ThrowsAnyAsync<IOException>(failure.ReadToEndAsync);
        Assert.IsType<InvalidOperationException>(Assert.Single(app.Log.Troubles).Exception);
    }

    [Fact]
    public async Task What_the_app_throws_where_it_is_told_is_a_matter_for_debugging()
    {
        await using var app = await TestApp.StartAsync(web =>
        {
            web.UseSse();
            web.MapGet("/", async (HttpContext context, CancellationToken stop) =>
            {
                stop.Register(() => throw new TimeZoneNotFoundException("on purpose"));
                await WriteAsync(context, () => stop);
            });
        });
        using var stream = await app.OpenAsync("/");
        await stream.ReadToAsync("data: a\n\n");

        await app.Web.StopAsync(TestContext.Current.CancellationToken).Soon();

        Assert.StartsWith("retry: ", await stream.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Contains(app.Log.Ours, line => line.Exception?.InnerException is TimeZoneNotFoundException);
        Assert.Empty(app.Log.OursAboveDebug);
    }

    [Fact]
    public async Task The_ends_of_all_are_spread_over_the_drain_window_and_limits_count_only_ours()
    {
        var time = new FakeTimeProvider();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.MapGet("/own", () => new EventSourceResult(Streaming.Events.Silence()));
                web.MapGet("/other", (HttpContext context, CancellationToken stop) => WriteAsync(context, () => stop));
            },
            services: services => services.Configure<SseOptions>(options =>
            {
                options.DrainWindow = TimeSpan.FromSeconds(10);
                options.MaxConnections = 2;
            }),
            time: time);
        var streams = new List<ClientStream>();
        foreach (var path in new[] { "/other", "/own", "/other", "/own" })
        {
            streams.Add(await app.OpenAsync(path));
        }

        Assert.Equal(2, app.Streams.Streams.Count);
        var stop = app.Web.StopAsync(TestContext.Current.CancellationToken);
        foreach (var (stream, left) in streams.Zip([3, 2, 1, 0]))
        {
            time.Advance(TimeSpan.FromSeconds(2.5));
            Assert.Matches(@"retry: \d+\n\z", await stream.ReadToEndAsync());
            await Until(() => app.OpenStreams() == left);
        }

        await stop.Soon();
    }

    [Fact]
    public async Task A_stream_that_ends_by_itself_or_whose_client_leaves_is_forgotten()
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(web =>
        {
            web.UseSse();
            web.MapGet("/short", async context =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: a\n\n");
            });
            web.MapGet("/long", async (HttpContext context, CancellationToken stop) =>
            {
                stop.Register(left.SetResult);
                await WriteAsync(context, () => stop);
            });
        });
        using (var brief = await app.OpenAsync("/short"))
        {
            Assert.Equal("data: a\n\n", await brief.ReadToEndAsync());
        }

        using (var lasting = await app.OpenAsync("/long"))
        {
            await lasting.ReadToAsync("data: a\n\n");
            Assert.Equal(1, app.OpenStreams());
        }

        await left.Task.Soon();
        await Until(() => app.OpenStreams() == 0);
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task The_token_is_linked_when_it_is_first_asked_for_and_never_made_for_what_is_known_to_be_no_stream()
    {
        var feature = new HttpRequestLifetimeFeature();
        using var before = new CancellationTokenSource();
        using var after = new CancellationTokenSource();
        using var timeout = new CancellationTokenSource();
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpRequestLifetimeFeature>(feature);
        feature.RequestAborted = before.Token;
        await new SseMiddleware(async context =>
        {
            // The one that stands now, not the one that stood when the request came in.
            feature.RequestAborted = after.Token;
            context.Response.ContentType = "application/json";
            Assert.Equal(after.Token, context.RequestAborted);
            context.Response.ContentType = null;
            var linked = context.RequestAborted;
            Assert.NotEqual(after.Token, linked);
            Assert.Equal(linked, context.RequestAborted);

            // As UseRequestTimeouts does it, and takes it back.
            context.RequestAborted = timeout.Token;
            Assert.Equal(timeout.Token, context.RequestAborted);
            context.RequestAborted = linked;
            Assert.Equal(after.Token, feature.RequestAborted);

            await before.CancelAsync();
            Assert.False(linked.IsCancellationRequested);
            await after.CancelAsync();
            Assert.True(linked.IsCancellationRequested);
        }).InvokeAsync(context);
        Assert.Same(feature, context.Features.Get<IHttpRequestLifetimeFeature>());
    }

    private static async Task WriteAsync(HttpContext context, Func<CancellationToken> stop)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync("data: a\n\n", CancellationToken.None);
        await Task.Delay(Timeout.Infinite, stop());
    }

    private static async IAsyncEnumerable<string> Texts([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return "a";
        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    private static async IAsyncEnumerable<string> Silence([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Delay(Timeout.Infinite, cancellationToken);
        yield break;
    }
}

internal static class DrainState
{
    /// <summary>How many streams the host's stop would end, whoever writes them.</summary>
    public static int OpenStreams(this TestApp app)
    {
        if (app.Streams is not { } host)
        {
            return 0;
        }

        lock (GateOf(host.Streams))
        {
            return AllOf(host.Streams).Count();
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_gate")]
    private static extern ref Lock GateOf(StreamRegistry registry);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "All")]
    private static extern IEnumerable<IDrained> AllOf(StreamRegistry registry);
}
