using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Streaming;

public class StopTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task The_host_stops_though_streams_are_open_and_each_ends_cleanly(string http)
    {
        var obedient = new HandSource();
        var deaf = new HandSource(obeysToken: false);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapSse("/topic", "orders");
                web.MapGet("/silence", () => new EventSourceResult(Events.Silence()));
                web.MapGet("/obedient", () => new EventSourceResult(obedient));
                web.MapGet("/deaf", () => new EventSourceResult(deaf));
            },
            http,
            services => services.AddSse(o => o.SendStartPosition = false));
        string[] paths = ["/topic", "/silence", "/obedient", "/deaf", "/topic", "/silence"];
        var streams = new List<ClientStream>();
        foreach (var path in paths)
        {
            streams.Add(await app.OpenAsync(path));
        }

        obedient.Emit("a");
        deaf.Emit("a");
        await obedient.IsWaitedForAsync(times: 2);
        await deaf.IsWaitedForAsync(times: 2);
        await app.Web.Services.GetRequiredService<ISseTopics>().PublishAsync("orders", "a", TestContext.Current.CancellationToken);
        var ends = streams.Select(stream => stream.ReadToEndAsync()).ToArray();

        // The gate of the deaf one opens only below: the stop does not wait for it.
        await StopAsync(app);

        // With the last chunk (HTTP/1.1) or END_STREAM (HTTP/2): anything else would throw.
        var texts = await Task.WhenAll(ends).Soon();
        Assert.All([texts[2], texts[3]], text => Assert.Matches(@"\Adata: a\n\nretry: \d+\n\z", text));
        Assert.True(obedient.Disposed.IsCompleted);
        Assert.False(deaf.Disposed.IsCompleted);

        deaf.Emit("too late");
        await deaf.Disposed.Soon();
        Assert.False(deaf.DisposedInStep);
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task Over_http_1_the_end_is_the_last_chunk()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.GetAsync("/");
        source.Emit("a");
        await client.ReadToAsync("data: a\n\n\r\n");

        await StopAsync(app);

        Assert.Matches(@"\Ac\r\nretry: \d{4}\n\r\n0\r\n\r\n\z", await client.ReadToAsync(null));
    }

    [Fact]
    public async Task A_source_that_looks_at_the_hosts_own_token_alarms_nobody()
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Events.ThenSilence("a", web.Lifetime.ApplicationStopping))));
        using var stream = await app.OpenAsync("/");
        await stream.ExpectAsync("data: a\n\n");

        await StopAsync(app);

        Assert.Matches(@"\Aretry: \d+\n\z", await stream.ReadToEndAsync());
        Assert.Empty(app.Log.OursAboveDebug);
    }

    [Fact]
    public async Task A_source_left_behind_is_watched_to_its_end()
    {
        var unobserved = new List<Exception>();
        void Note(object? sender, UnobservedTaskExceptionEventArgs e) => unobserved.AddRange(e.Exception.InnerExceptions);
        TaskScheduler.UnobservedTaskException += Note;
        try
        {
            var source = new HandSource(obeysToken: false);
            await using (var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source))))
            {
                using var stream = await app.OpenAsync("/");
                await source.IsWaitedForAsync();
                await StopAsync(app);
                source.Fail(new TimeZoneNotFoundException("left behind"));
                await source.Disposed.Soon();
                await Waiting.Until(() => app.Log.Ours.Any(line => line.Exception is TimeZoneNotFoundException));
                Assert.Empty(app.Log.Troubles);
            }

            GC.Collect();
            GC.WaitForPendingFinalizers();
            Assert.DoesNotContain(unobserved, exception => exception is TimeZoneNotFoundException);
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= Note;
        }
    }

    [Fact]
    public async Task A_disposal_that_waits_for_something_else_holds_up_no_stop()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(new SlowlyDisposed(source, gate.Task))));
        using var stream = await app.OpenAsync("/");
        await source.IsWaitedForAsync();

        await StopAsync(app);

        Assert.Matches(@"\Aretry: \d+\n\z", await stream.ReadToEndAsync());
        Assert.False(source.Disposed.IsCompleted);
        gate.SetResult();
        await source.Disposed.Soon();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(40)]
    [InlineData(60)]
    public async Task What_a_client_does_not_read_holds_up_no_stop(int kilobytes)
    {
        // More than the two sockets hold and less than the server's buffer takes: from SseKit's side all of it was sent.
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)));
        using var client = await RawClient.ConnectAsync(app.Port, receiveBuffer: 4096);
        await client.GetAsync("/");
        await client.ReadToAsync("\r\n\r\n");
        await source.IsWaitedForAsync();
        source.Emit(new string('a', kilobytes * 1024));
        await source.IsWaitedForAsync(times: 2);

        await StopAsync(app);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_source_without_end_and_a_client_that_does_not_read_hold_up_no_stop(string http)
    {
        var given = 0;
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Endless(() => Interlocked.Increment(ref given)))), http);
        using var stream = await app.OpenAsync("/");

        // Until all buffers on the way are full and the source is asked no more.
        var (last, same) = (0, 0);
        await Waiting.Until(() =>
        {
            var now = Volatile.Read(ref given);
            (last, same) = (now, now == last ? same + 1 : 0);
            return now > 0 && same >= 20;
        });
        await StopAsync(app);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_stream_that_begins_while_the_app_stops_ends_at_once(string http)
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)), http);
        source.Emit("a");
        app.Web.Lifetime.StopApplication();

        using var stream = await app.OpenAsync("/");

        Assert.Equal(HttpStatusCode.OK, stream.Status);
        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType!.ToString());
        Assert.Matches(@"\Aretry: \d+\n\z", await stream.ReadToEndAsync());
        Assert.False(source.Started.IsCompleted);
    }

    [Fact]
    public async Task While_the_app_stops_its_other_requests_over_http_2_are_left_alone()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var deaf = new HandSource(obeysToken: false);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapGet("/stream", () => new EventSourceResult(deaf));
                web.MapGet("/work", async () =>
                {
                    asked.SetResult();
                    await gate.Task;
                    return "done";
                });
            },
            "2.0");
        using var stream = await app.OpenAsync("/stream");
        var work = app.Client.GetStringAsync(new Uri("/work", UriKind.Relative), TestContext.Current.CancellationToken);
        await asked.Task.Soon();

        // The stream ends on the connection that it shares with the work. Nothing tells that it is not cut off, so time is given to do it in.
        var stopping = app.Web.StopAsync(TestContext.Current.CancellationToken);
        await stream.ReadToEndAsync();
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        gate.SetResult();

        Assert.Equal("done", await work.Soon());
        await stopping.Soon();
        deaf.End();
    }

    private async Task StopAsync(TestApp app)
    {
        var started = Stopwatch.GetTimestamp();
        await app.Web.StopAsync().Soon();
        output.WriteLine($"StopAsync took {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms.");
    }

#pragma warning disable CS1998 // No await, since it must never be pending.
    private static async IAsyncEnumerable<SseEvent> Endless(Action giving)
    {
        var text = new string('a', 1000);
        while (true)
        {
            giving();
            yield return text;
        }
    }
#pragma warning restore CS1998

    private sealed class SlowlyDisposed(HandSource items, Task gate) : IAsyncEnumerable<SseEvent>, IAsyncEnumerator<SseEvent>
    {
        public SseEvent Current => items.Current;

        public IAsyncEnumerator<SseEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default)
        {
            items.GetAsyncEnumerator(cancellationToken);
            return this;
        }

        public ValueTask<bool> MoveNextAsync() => items.MoveNextAsync();

        public async ValueTask DisposeAsync()
        {
            await gate;
            await items.DisposeAsync();
        }
    }
}
