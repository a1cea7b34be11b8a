using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Streaming;

/// <summary>Kestrel's <c>MinResponseDataRate</c>, for which <c>WriteTimeout</c> stands in while a stream is open.</summary>
public sealed class ServerDataRateTests
{
    private static readonly MinDataRate Strict = new(bytesPerSecond: 1_000_000, gracePeriod: TimeSpan.FromSeconds(1.5));

    [Fact]
    public async Task A_client_that_does_not_read_has_the_write_timeout_and_not_the_server_s()
    {
        const int Count = 200;
        var text = new string('x', 10_000);
        var cutOff = new TaskCompletionSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapGet("/", () => new EventSourceResult(Enumerable.Range(0, Count).Select(i => new SseEvent($"{i} {text}")).ToAsyncEnumerable()));
                web.MapGet("/plain", async context =>
                {
                    context.RequestAborted.Register(cutOff.SetResult);
                    while (!context.RequestAborted.IsCancellationRequested)
                    {
                        await context.Response.Body.WriteAsync(new byte[10_000]);
                    }
                });
            },
            services: services => services.Configure<KestrelServerOptions>(kestrel => kestrel.Limits.MinResponseDataRate = Strict));
        using var stalled = await RawClient.ConnectAsync(app.Port, receiveBuffer: 4096);
        await stalled.GetAsync("/");
        await stalled.ReadToAsync("\r\n\r\n");
        await Waiting.Until(() => app.Streams.Streams.Count == 1);

        // Another response, later and no slower, for which the server's patience ends.
        using var other = await RawClient.ConnectAsync(app.Port, receiveBuffer: 4096);
        await other.GetAsync("/plain");
        await cutOff.Task.Soon();

        Assert.Equal(1, app.Streams.Streams.Count);
        var rest = await stalled.ReadToAsync("\r\n0\r\n\r\n");
        Assert.Equal(Count * text.Length, rest.Count(character => character == 'x'));
        Assert.Empty(app.Log.OursAboveDebug);
    }

    [Theory]
    [InlineData(120, 120)]
    [InlineData(1, 1.5)]
    public async Task It_is_lifted_while_a_stream_is_open_and_then_back_with_no_less_patience(int writeTimeout, double atLeast)
    {
        var rates = await RatesAsync(TimeSpan.FromSeconds(writeTimeout));

        Assert.Null(rates.Open);
        Assert.NotNull(rates.After);
        Assert.Equal(Strict.BytesPerSecond, rates.After.BytesPerSecond);

        // And the time that a full buffer may take at that rate.
        Assert.Equal(TimeSpan.FromSeconds(atLeast + (65_536 / Strict.BytesPerSecond)), rates.After.GracePeriod);
    }

    [Fact]
    public async Task It_stays_where_nothing_stands_in_for_it()
    {
        var rates = await RatesAsync(Timeout.InfiniteTimeSpan);

        Assert.Same(Strict, rates.Open);
        Assert.Same(Strict, rates.After);
    }

    private static async Task<(MinDataRate? Open, MinDataRate? After)> RatesAsync(TimeSpan writeTimeout)
    {
        MinDataRate? open = null;
        var after = new TaskCompletionSource<MinDataRate?>();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.Use(async (context, next) =>
                {
                    await next(context);
                    after.SetResult(Rate(context));
                });
                web.MapGet("/", (HttpContext context) => new EventSourceResult(Events(context)));
            },
            services: services =>
            {
                services.Configure<KestrelServerOptions>(kestrel => kestrel.Limits.MinResponseDataRate = Strict);
                services.Configure<SseOptions>(options => options.WriteTimeout = writeTimeout);
            });
        using var stream = await app.OpenAsync("/");
        await stream.ReadToEndAsync();
        return (open, await after.Task.Soon());

        async IAsyncEnumerable<SseEvent> Events(HttpContext context)
        {
            await Task.Yield();
            open = Rate(context);
            yield return new SseEvent("a");
        }
    }

    private static MinDataRate? Rate(HttpContext context) => context.Features.Get<IHttpMinResponseDataRateFeature>()!.MinDataRate;
}
