using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace SseKit.Tests.Streaming;

public class FlushTests
{
    private readonly CountingBody _body = new();
    private readonly FakeTimeProvider _time = new();

    private IServiceProvider Services => new ServiceCollection().AddSingleton<TimeProvider>(_time).BuildServiceProvider();

    [Fact]
    public async Task A_burst_is_one_flush_at_the_moment_when_the_source_has_no_more()
    {
        var source = new HandSource();
        var burst = Enumerable.Range(0, 100).Select(number => $"data: {number}\n\n").ToList();
        for (var number = 0; number < 100; number++)
        {
            source.Emit($"{number}");
        }

        var running = new EventSourceResult(source).ExecuteAsync(_body.Context(Services));
        await source.IsWaitedForAsync();
        Assert.Equal([string.Concat(burst).Length], _body.Flushes);

        source.Emit("last");
        await source.IsWaitedForAsync(times: 2);
        Assert.Equal([string.Concat(burst).Length, _body.Text.Length], _body.Flushes);

        source.End();
        await running.Soon();
        Assert.Equal(string.Concat(burst) + "data: last\n\n", _body.Text);
        Assert.Equal(2, _body.Flushes.Count);
    }

    [Fact]
    public async Task A_source_that_computes_without_a_pause_is_flushed_when_ten_milliseconds_have_passed()
    {
        await new EventSourceResult(Ticking(milliseconds: 1, count: 33)).ExecuteAsync(_body.Context(Services));

        // Each event takes 12 bytes and a millisecond; the check comes with the event, so a flush is due with every eleventh.
        Assert.Equal([11 * 12, 22 * 12, 33 * 12], _body.Flushes);
    }

    [Fact]
    public async Task Slow_steps_are_flushed_one_by_one()
    {
        await new EventSourceResult(Ticking(milliseconds: 11, count: 3)).ExecuteAsync(_body.Context(Services));
        Assert.Equal([12, 24, 36], _body.Flushes);
    }

    [Fact]
    public async Task A_burst_is_flushed_every_60_kilobytes()
    {
        var text = new string('a', 1024 - "data: \n\n".Length);
        await new EventSourceResult(Events.Of(Enumerable.Repeat(text, 100).ToArray())).ExecuteAsync(_body.Context(Services));
        Assert.Equal([60 * 1024, 100 * 1024], _body.Flushes);
    }

    [Fact]
    public async Task A_burst_of_a_topic_leaves_as_one_chunk()
    {
        var stop = TestContext.Current.CancellationToken;
        await using var app = await TestApp.StartAsync(web => web.MapSse("/", "orders"), services: services => services.AddSse());
        var topics = app.Web.Services.GetRequiredService<ISseTopics>();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.GetAsync("/");
        await client.ReadToAsync("\n\n\r\n");

        // Too large for the burst to begin in the memory where it lies.
        await topics.PublishAsync("orders", new string('x', 16 * 1024), stop);
        await client.ReadToAsync("\n\n\r\n");

        // More than a block of the server's pool.
        await topics.PublishAsync("orders", [.. Enumerable.Repeat<SseEvent>(new string('y', 1_000), 10)], stop);
        var burst = await client.ReadToAsync("\n\n\r\n");
        Assert.Equal(10, burst.Split("\n\n").Length - 1);
        Assert.Equal(2, burst.Count(letter => letter == '\r'));
    }

    [Fact]
    public async Task What_was_written_before_the_end_survives_a_middleware_that_wraps_the_body()
    {
        await using var app = await TestApp.StartAsync(web =>
        {
            web.Use(async (context, next) =>
            {
                var body = context.Response.Body;
                await using var wrapped = new BufferedStream(body);
                context.Response.Body = wrapped;
                await next(context);
                context.Response.Body = body;
            });
            web.MapGet("/end", () => new EventSourceResult(Events.Of("a", "b")));
            web.MapGet("/failure", () => new EventSourceResult(Events.Failing(new InvalidOperationException("broken"), "a", "b")));
        });

        foreach (var path in new[] { "/end", "/failure" })
        {
            using var stream = await app.OpenAsync(path);
            Assert.Equal("data: a\n\ndata: b\n\n", await stream.ReadToEndAsync());
        }
    }

#pragma warning disable CS1998 // No await, since it must never be pending.
    private async IAsyncEnumerable<SseEvent> Ticking(int milliseconds, int count)
    {
        for (var number = 0; number < count; number++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
            yield return "tick";
        }
    }
#pragma warning restore CS1998
}
