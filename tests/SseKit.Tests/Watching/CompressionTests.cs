using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Watching;

/// <summary>Apps that compress event streams, too.</summary>
public class CompressionTests
{
    public static MatrixTheoryData<string, string> EveryPath() => new(["1.1", "2.0"], ["/body", "/writer", "/sync", "/start"]);

    [Theory]
    [MemberData(nameof(EveryPath))]
    public async Task Behind_compression_every_event_and_keep_alive_arrives_at_once(string http, string path)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, pause.Task, web =>
        {
            web.UseResponseCompression();
            web.UseSse();
        });
        using var reading = ArrivingBytes.Of(app, path, accept: "gzip");
        var response = await reading.Started.Soon();
        Assert.Equal("gzip", response.Content.Headers.ContentEncoding.Last());
        var one = path == "/start" ? "" : "data: one\n\n";
        await reading.ExpectAsync(one);
        await reading.SilenceAsync(time);
        await reading.ExpectAsync(one + ":\n");
        pause.SetResult();
        await reading.ExpectAllAsync(one + ":\ndata: two\n\n");
    }

    [Theory]
    [MemberData(nameof(EveryPath))]
    public async Task Where_compression_does_not_apply_the_stream_is_like_any_other(string http, string path)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, pause.Task, web =>
        {
            web.UseResponseCompression();
            web.UseSse();
        });
        using var reading = ArrivingBytes.Of(app, path);
        var response = await reading.Started.Soon();
        Assert.DoesNotContain("gzip", response.Content.Headers.ContentEncoding);
        await reading.SilenceAsync(time);
        pause.SetResult();
        await reading.ExpectAllAsync((path == "/start" ? "" : "data: one\n\n") + ":\ndata: two\n\n");
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Compression_that_was_not_asked_to_compress_streams_is_kept_off(string http)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(
            http,
            time,
            pause.Task,
            web =>
            {
                web.UseResponseCompression();
                web.UseSse();
            },
            mimeType: "text/plain");
        using var reading = ArrivingBytes.Of(app, "/body", accept: "gzip");
        var response = await reading.Started.Soon();
        Assert.Equal(["identity"], response.Content.Headers.ContentEncoding);
        await reading.ExpectAsync("data: one\n\n");
        pause.SetResult();
        await reading.ExpectAllAsync("data: one\n\ndata: two\n\n");
    }

    [Theory]
    [MemberData(nameof(EveryPath))]
    public async Task Compression_after_it_is_left_alone(string http, string path)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, pause.Task, web =>
        {
            web.UseSse();
            web.UseResponseCompression();
        });
        using var reading = ArrivingBytes.Of(app, path, accept: "gzip");

        // Nobody flushes the compressor here, so what was sent before may wait for the end.
        pause.SetResult();
        var response = await reading.Started.Soon();
        Assert.Equal("gzip", response.Content.Headers.ContentEncoding.Last());
        Assert.False(response.Headers.Contains("X-Accel-Buffering"));
        await reading.ExpectAllAsync((path == "/start" ? "" : "data: one\n\n") + "data: two\n\n");
        Assert.Empty(app.Log.Troubles);
    }

    [Theory]
    [InlineData("1.1", false)]
    [InlineData("1.1", true)]
    [InlineData("2.0", false)]
    [InlineData("2.0", true)]
    public async Task The_frameworks_own_result_is_not_compressed_and_is_kept_alive_on_either_side(string http, bool after)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, pause.Task, web =>
        {
            if (after)
            {
                web.UseSse().UseResponseCompression();
            }
            else
            {
                web.UseResponseCompression().UseSse();
            }
        });
        using var reading = ArrivingBytes.Of(app, "/typed", accept: "gzip");
        var response = await reading.Started.Soon();
        Assert.Equal(["identity"], response.Content.Headers.ContentEncoding);
        await reading.ExpectAsync("data: one\n\n");
        await reading.SilenceAsync(time);
        pause.SetResult();
        await reading.ExpectAllAsync("data: one\n\n:\ndata: two\n\n");
    }

    private static Task<TestApp> StartAsync(
        string http, FakeTimeProvider time, Task pause, Action<WebApplication> use, string mimeType = "text/event-stream") => TestApp.StartAsync(
        web =>
        {
            use(web);
            web.MapGet("/typed", () => TypedResults.ServerSentEvents(TwoAsync(pause)));
            web.MapGet("/body", async context =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.Body.WriteAsync("data: one\n\n"u8.ToArray());
                await pause;
                await context.Response.Body.WriteAsync("data: two\n\n"u8.ToArray());
            });
            web.MapGet("/writer", async context =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: one\n\n");
                await pause;
                await context.Response.WriteAsync("data: two\n\n");
            });
            web.MapGet("/sync", async context =>
            {
                context.Response.ContentType = "text/event-stream";
                context.Response.Body.Write("data: one\n\n"u8);
                await pause;
                context.Response.Body.Write("data: two\n\n"u8);
            });
            web.MapGet("/start", async context =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.StartAsync();
                await pause;
                await context.Response.WriteAsync("data: two\n\n");
            });
        },
        http,
        services => services
            .Configure<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions>(kestrel => kestrel.AllowSynchronousIO = true)
            .AddResponseCompression(compression => compression.MimeTypes = [mimeType]),
        time);

    private static async IAsyncEnumerable<string> TwoAsync(Task pause, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        yield return "one";
        await pause.WaitAsync(cancellationToken);
        yield return "two";
    }
}
