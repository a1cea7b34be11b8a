using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using SseKit.Streaming;

namespace SseKit.Tests.Streaming;

/// <summary>Ends that are rare: a response that can't begin, a stop that finds the app's code busy, times without end.</summary>
public sealed class RoughEndTests
{
    [Fact]
    public async Task A_source_is_never_disposed_of_in_mid_step_also_when_the_response_can_not_begin()
    {
        var source = new HandSource(obeysToken: false);
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", async context =>
        {
            await context.Response.WriteAsync("the app has begun a response of its own");
            await new EventSourceResult(source).ExecuteAsync(context);
        }));

        var asked = app.Client.GetAsync("/", TestContext.Current.CancellationToken);
        await source.Cancelled.Soon();
        await Task.WhenAny(source.IsWaitedForAsync(), source.Disposed);
        source.End();
        await source.Disposed.Soon();

        Assert.False(source.DisposedInStep);
        await Assert.ThrowsAsync<HttpRequestException>(() => asked.Soon());
    }

    [Fact]
    public async Task A_client_that_does_not_read_what_comes_after_the_grace_does_not_hold_up_the_stop()
    {
        using var gate = new ManualResetEventSlim();
        var waits = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web => web.MapSse("/", _ => Busy()),
            services: services => services.AddSse(options => options.WriteTimeout = Timeout.InfiniteTimeSpan));
        using var client = await RawClient.ConnectAsync(app.Port, receiveBuffer: 4096);
        await client.GetAsync("/");
        await waits.Task.Soon();

        var stop = app.Web.StopAsync(TestContext.Current.CancellationToken);

        // No signal tells that the grace is over, which runs in real time; were this too short, the test would only see less.
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        gate.Set();

        await stop.Soon("the stop of the host");

        async IAsyncEnumerable<SseEvent> Busy()
        {
            waits.SetResult();
            gate.Wait();
            yield return new string('x', 64 * 1024 * 1024);
            await Task.CompletedTask;
        }
    }

    [Fact]
    public void A_ticket_or_an_age_without_end_ends_no_stream()
    {
        var options = new SseOptions { MaxConnectionAge = TimeSpan.MaxValue };
        var host = new StreamHost(options, new(), TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        var ticket = new AuthenticationTicket(new(), new AuthenticationProperties { ExpiresUtc = DateTimeOffset.MaxValue }, "test");
        var context = new DefaultHttpContext();
        context.Features.Set<IAuthenticateResultFeature>(new Authenticated { AuthenticateResult = AuthenticateResult.Success(ticket) });

        var now = TimeProvider.System.GetTimestamp();

        Assert.True(StreamAge.ExpiresAt(context, host, now) > now);
    }

    private sealed class Authenticated : IAuthenticateResultFeature
    {
        public AuthenticateResult? AuthenticateResult { get; set; }
    }
}
