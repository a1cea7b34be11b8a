using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using Yarp.ReverseProxy.Forwarder;

namespace SseKit.Tests.Watching;

/// <summary>YARP on either side of the middleware.</summary>
public class ProxyTests
{
    [Theory]
    [InlineData("1.1", "1.1")]
    [InlineData("2.0", "1.1")]
    [InlineData("1.1", "2.0")]
    [InlineData("2.0", "2.0")]
    public async Task A_proxy_in_front_passes_on_headers_events_and_keep_alives(string frontHttp, string backHttp)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var back = await StartStreamAsync(backHttp, time, pause.Task, web => web.UseSse());
        await using var front = await StartProxyAsync(frontHttp, back, new FakeTimeProvider(), _ => { });
        using var reading = ArrivingBytes.Of(front, "/");
        await reading.ExpectAsync("data: one\n\n");
        Assert.Equal("no", (await reading.Started.Soon()).Headers.GetValues("X-Accel-Buffering").Single());
        await reading.SilenceAsync(time);
        await reading.ExpectAsync("data: one\n\n:\n");
        pause.SetResult();
        await reading.ExpectAllAsync("data: one\n\n:\ndata: two\n\n");
    }

    [Theory]
    [InlineData("1.1", "1.1")]
    [InlineData("2.0", "1.1")]
    [InlineData("1.1", "2.0")]
    [InlineData("2.0", "2.0")]
    public async Task A_proxy_keeps_alive_what_its_upstream_does_not(string frontHttp, string backHttp)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var back = await StartStreamAsync(backHttp, new FakeTimeProvider(), pause.Task, _ => { });
        await using var front = await StartProxyAsync(frontHttp, back, time, web => web.UseSse());
        using var reading = ArrivingBytes.Of(front, "/");
        await reading.ExpectAsync("data: one\n\n");
        var response = await reading.Started.Soon();
        Assert.Equal("no", response.Headers.GetValues("X-Accel-Buffering").Single());
        Assert.Equal("no-cache, no-store, no-transform", response.Headers.NonValidated["Cache-Control"].ToString());
        await reading.SilenceAsync(time);
        await reading.ExpectAsync("data: one\n\n:\n");
        pause.SetResult();
        await reading.ExpectAllAsync("data: one\n\n:\ndata: two\n\n");
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_proxy_that_stops_ends_what_it_passes_on_cleanly(string backHttp)
    {
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var back = await StartStreamAsync(backHttp, new FakeTimeProvider(), pause.Task, _ => { });
        await using var front = await StartProxyAsync("1.1", back, new FakeTimeProvider(), web => web.UseSse());
        using var stream = await front.OpenAsync("/");
        await stream.ReadToAsync("data: one\n\n");

        await front.Web.StopAsync(TestContext.Current.CancellationToken).Soon();

        // YARP gives up on such a stream, which would cut it off.
        Assert.Matches(@"\Aretry: \d+\n\z", await stream.ReadToEndAsync());
        Assert.Empty(front.Log.OursAboveDebug);
        pause.SetResult();
    }

    private static Task<TestApp> StartStreamAsync(string http, FakeTimeProvider time, Task pause, Action<WebApplication> use) => TestApp.StartAsync(
        web =>
        {
            use(web);
            web.MapGet("/", async context =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: one\n\n");
                await pause;
                await context.Response.WriteAsync("data: two\n\n");
            });
        },
        http,
        time: time);

    private static Task<TestApp> StartProxyAsync(string http, TestApp back, FakeTimeProvider time, Action<WebApplication> use) => TestApp.StartAsync(
        web =>
        {
            use(web);
            web.MapForwarder("/{**path}", $"http://127.0.0.1:{back.Port}", new ForwarderRequestConfig
            {
                Version = back.Client.DefaultRequestVersion,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            });
        },
        http,
        services => services.AddHttpForwarder(),
        time);
}
