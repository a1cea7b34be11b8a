using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using static SseKit.Tests.Streaming.Waiting;

namespace SseKit.Tests.Watching;

/// <summary>How somebody else's stream ends, and what must not end it.</summary>
public class EndTests
{
    [Theory]
    [InlineData("1.1", false)]
    [InlineData("1.1", true)]
    [InlineData("2.0", false)]
    [InlineData("2.0", true)]
    public async Task An_exception_before_the_first_byte_is_an_error_without_anything_of_ours(string http, bool yields)
    {
        var time = new TimersLeft();
        await using var app = await StartAsync(http, time, async context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.BodyWriter.Write("data: x\n\n"u8);
            if (yields)
            {
                await Task.Yield();
            }

            throw new InvalidOperationException("on purpose");
        });
        using var response = await app.Client.GetAsync("/", TestContext.Current.CancellationToken);
        Assert.Equal(500, (int)response.StatusCode);
        Assert.Equal("", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(["Date", "Server"], response.Headers.Select(header => header.Key).Order());
        Assert.Empty(app.Log.Ours);
        Assert.Equal(0, time.Count);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task An_exception_after_the_first_byte_cuts_the_stream_and_leaves_nothing_behind(string http)
    {
        var time = new TimersLeft();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: one\n\n");
            await pause.Task;
            throw new InvalidOperationException("on purpose");
        });
        using var reading = ArrivingBytes.Of(app, "/");
        await reading.ExpectAsync("data: one\n\n");
        Assert.Equal(1, time.Count);
        pause.SetResult();
        Assert.IsAssignableFrom<IOException>(await Record.ExceptionAsync(reading.ToEndAsync));
        await Until(() => time.Count == 0);
        Assert.Equal("data: one\n\n", reading.Text);
        Assert.Empty(app.Log.Ours);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_client_that_leaves_is_seen_by_the_app_and_leaves_nothing_behind(string http)
    {
        var time = new TimersLeft();
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: one\n\n");
            await using (context.RequestAborted.Register(left.SetResult))
            {
                await more.Task;
            }

            // An app that does not look writes on; nobody minds.
            await context.Response.WriteAsync("data: two\n\n");
            var result = await context.Response.BodyWriter.FlushAsync();
            Assert.True(result.IsCompleted);
        });
        using (var reading = ArrivingBytes.Of(app, "/"))
        {
            await reading.ExpectAsync("data: one\n\n");
        }

        await left.Task.Soon();
        time.Advance(TimeSpan.FromSeconds(15));
        time.Advance(TimeSpan.FromSeconds(15));
        more.SetResult();
        await Until(() => time.Count == 0);
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task A_client_that_does_not_read_gets_no_keep_alives_into_the_middle_of_an_event()
    {
        var time = new FakeTimeProvider();
        var data = new string('x', 1000);
        var written = 0;
        await using var app = await StartAsync("1.1", time, async context =>
        {
            context.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 20_000; i++)
            {
                await context.Response.WriteAsync("data: ");
                await context.Response.WriteAsync(data);
                await context.Response.WriteAsync("\n\n");
                Volatile.Write(ref written, i);
            }
        });
        using var client = await RawClient.ConnectAsync(app.Port, receiveBuffer: 4096);
        await client.GetAsync("/", "Connection: close\r\n");

        // Until it stands still, for all that can be told; then intervals go by.
        var before = -1;
        while (before != Volatile.Read(ref written))
        {
            before = Volatile.Read(ref written);
            for (var i = 0; i < 5; i++)
            {
                time.Advance(TimeSpan.FromSeconds(15));
                await Task.Delay(20, TestContext.Current.CancellationToken);
            }
        }

        var arrived = await client.ReadToAsync(null);
        var body = Unchunk(arrived[(arrived.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        Assert.Empty(StreamText.MisplacedKeepAlives(body));
        var events = await StreamText.EventsAsync(body);
        Assert.Equal(20_000, events.Count);
        Assert.All(events, item => Assert.EndsWith(data, item, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("1.1", false)]
    [InlineData("1.1", true)]
    [InlineData("2.0", false)]
    [InlineData("2.0", true)]
    public async Task The_output_cache_does_not_store_it(string http, bool after)
    {
        var requests = 0;
        await using var app = await TestApp.StartAsync(
            web =>
            {
                if (after)
                {
                    web.UseSse();
                }

                web.UseOutputCache();
                web.UseSse();
                web.MapGet("/", async context =>
                {
                    context.Response.ContentType = "text/event-stream";
                    await context.Response.WriteAsync($"data: {Interlocked.Increment(ref requests)}\n\n");
                }).CacheOutput();
            },
            http,
            services => services.AddOutputCache());
        Assert.Equal("data: 1\n\n", await app.Client.GetStringAsync("/", TestContext.Current.CancellationToken));
        Assert.Equal("data: 2\n\n", await app.Client.GetStringAsync("/", TestContext.Current.CancellationToken));
        Assert.Equal("OutputCacheRefused", app.Log.OursAboveDebug.First().Id.Name);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task The_request_timeout_does_not_cut_it(string http)
    {
        var timeout = new Timeout();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.Use((context, next) =>
                {
                    context.Features.Set<IHttpRequestTimeoutFeature>(timeout);
                    return next();
                });
                web.UseSse();
                web.MapGet("/plain", () => "hello");
                web.MapGet("/", async context =>
                {
                    context.Response.ContentType = "text/event-stream";
                    Assert.False(timeout.Disabled);
                    await context.Response.WriteAsync($"data: {timeout.Disabled}\n\n");
                    await context.Response.WriteAsync($"data: {timeout.Disabled}\n\n");
                });
            },
            http);
        await app.Client.GetStringAsync("/plain", TestContext.Current.CancellationToken);
        Assert.False(timeout.Disabled);
        Assert.Equal("data: False\n\ndata: True\n\n", await app.Client.GetStringAsync("/", TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Its_duration_is_not_recorded_as_a_requests(string http)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.MapGet("/plain", () => "hello");
                web.MapGet("/stream", async context =>
                {
                    context.Response.ContentType = "text/event-stream";
                    await context.Response.WriteAsync("data: x\n\n");
                });
            },
            http);
        var routes = new ConcurrentQueue<object?>();
        using var listener = new MeterListener();
        var meters = app.Web.Services.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Name == "http.server.request.duration" && ReferenceEquals(instrument.Meter.Scope, meters))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => routes.Enqueue(tags.ToArray().Single(tag => tag.Key == "http.route").Value));
        listener.Start();
        for (var i = 0; i < 3; i++)
        {
            await app.Client.GetStringAsync("/stream", TestContext.Current.CancellationToken);
            await app.Client.GetStringAsync("/plain", TestContext.Current.CancellationToken);
        }

        await Until(() => routes.Count(route => route is "/plain") == 3);
        Assert.DoesNotContain("/stream", routes);
    }

    private static Task<TestApp> StartAsync(string http, FakeTimeProvider time, RequestDelegate answer) => TestApp.StartAsync(
        web =>
        {
            web.UseSse();
            web.Run(answer);
        },
        http,
        time: time);

    private static byte[] Unchunk(string chunked)
    {
        var body = new MemoryStream();
        var at = 0;
        while (true)
        {
            var end = chunked.IndexOf("\r\n", at, StringComparison.Ordinal);
            var length = Convert.ToInt32(chunked[at..end], 16);
            if (length == 0)
            {
                return body.ToArray();
            }

            body.Write(System.Text.Encoding.Latin1.GetBytes(chunked, end + 2, length));
            at = end + 2 + length + 2;
        }
    }

    private sealed class Timeout : IHttpRequestTimeoutFeature
    {
        public bool Disabled { get; private set; }

        public CancellationToken RequestTimeoutToken => CancellationToken.None;

        public void DisableTimeout() => Disabled = true;
    }

    /// <summary>Counts the timers that are alive: the clock has one while it has a stream.</summary>
    private sealed class TimersLeft : FakeTimeProvider
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Increment(ref _count);
            return new Counted(this, base.CreateTimer(callback, state, dueTime, period));
        }

        private sealed class Counted(TimersLeft all, ITimer timer) : ITimer
        {
            private int _disposed;

            public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(dueTime, period);

            public void Dispose()
            {
                timer.Dispose();
                if (Interlocked.Exchange(ref _disposed, 1) == 0)
                {
                    Interlocked.Decrement(ref all._count);
                }
            }

            public ValueTask DisposeAsync()
            {
                Dispose();
                return default;
            }
        }
    }
}
