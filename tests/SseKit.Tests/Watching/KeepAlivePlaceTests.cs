using System.Text;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using SseKit.Watching;
using static SseKit.Tests.Streaming.Waiting;

namespace SseKit.Tests.Watching;

/// <summary>Keep-alives never land inside an event, and change nothing in what a client reads.</summary>
public class KeepAlivePlaceTests
{
    private static readonly IServiceProvider Services = new ServiceCollection().AddLogging().AddSse().Services.BuildServiceProvider();

    [Fact]
    public async Task Keep_alives_at_any_moment_change_nothing_in_what_is_read() =>
        await EventBoundaryTests.EventStream
            .SelectMany(stream => EventBoundaryTests.Cuts(stream.Length).Select(Gen.Int[0, 2].Array[2 * stream.Length + 1], (cuts, keepAlives) => (stream, cuts, keepAlives)))
            .SampleAsync(async run =>
            {
                var body = new RecordingBody();
                var context = body.Context(Services);
                await new SseMiddleware(async context =>
                {
                    context.Response.ContentType = "text/event-stream";
                    await context.Response.StartAsync();
                    var written = 0;
                    var step = 0;
                    foreach (var cut in run.cuts.Append(run.stream.Length))
                    {
                        for (var i = run.keepAlives[step]; i > 0; i--)
                        {
                            RecordingBody.KeepAlive(RecordingBody.StreamOf(context));
                        }

                        await context.Response.Body.WriteAsync(run.stream.AsMemory(written, cut - written));
                        written = cut;
                        step++;
                    }
                }).InvokeAsync(context);

                Assert.Equal(StreamText.Lines(run.stream), StreamText.WithoutKeepAlives(StreamText.Lines(body.Written)));
                Assert.Empty(StreamText.MisplacedKeepAlives(body.Written));
                Assert.Equal(await StreamText.EventsAsync(run.stream), await StreamText.EventsAsync(body.Written));
            });

    public static TheoryData<string, string, bool, bool> EveryStream()
    {
        var data = new TheoryData<string, string, bool, bool>();
        foreach (var http in (string[])["1.1", "2.0"])
        {
            foreach (var end in (string[])["LF", "CR", "CRLF"])
            {
                data.Add(http, end, false, false);
                data.Add(http, end, false, true);
                data.Add(http, end, true, false);
                data.Add(http, end, true, true);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(EveryStream))]
    public async Task A_writer_of_single_bytes_may_pause_anywhere(string http, string lineEnd, bool mark, bool startsFirst)
    {
        var end = lineEnd switch { "LF" => "\n", "CR" => "\r", _ => "\r\n" };
        var text = string.Join(end, "retry: 9", ": hi", "event: a", "data: x", "data: yy", "id: 1", "", "data: z", ":c", "", "", "data: w", "", "");
        var stream = Encoding.UTF8.GetBytes((mark ? "\uFEFF" : "") + text);

        var time = new FakeTimeProvider();
        var hand = new HandWriter();
        await using var app = await TestApp.StartAsync(web =>
        {
            web.UseSse();
            web.MapGet("/", async context =>
            {
                context.Response.ContentType = "text/event-stream";
                if (startsFirst)
                {
                    await context.Response.StartAsync();
                }

                await hand.WriteToAsync(context.Response.Body);
            });
        }, http, time: time);

        using var reading = ArrivingBytes.Of(app, "/");
        if (startsFirst)
        {
            await reading.Started.Soon();
            await reading.SilenceAsync(time);
        }

        for (var i = 1; i <= stream.Length; i++)
        {
            await hand.WriteAsync(stream.AsMemory(i - 1, 1));

            // Behind a keep-alive a mark is dropped, whole or in parts, so it begins no line.
            var seen = startsFirst && mark ? stream[Math.Min(i, 3)..i] : stream[..i];
            if (StreamText.IsBetweenEvents(seen))
            {
                await reading.SilenceAsync(time);
            }
            else
            {
                time.Advance(TimeSpan.FromSeconds(15));
            }
        }

        hand.End();
        var arrived = await reading.ToEndAsync();
        Assert.Equal(await StreamText.EventsAsync(stream), await StreamText.EventsAsync(arrived));
        Assert.Equal(StreamText.Lines(stream), StreamText.WithoutKeepAlives(StreamText.Lines(arrived)));
        Assert.Empty(StreamText.MisplacedKeepAlives(arrived));
    }

    [Fact]
    public async Task However_many_keep_alives_follow_a_carriage_return_its_line_feed_is_no_blank_line()
    {
        var body = new RecordingBody();
        var context = body.Context(Services);
        await new SseMiddleware(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.Body.WriteAsync("data: x\r\n\r"u8.ToArray());
            RecordingBody.KeepAlive(RecordingBody.StreamOf(context));
            RecordingBody.KeepAlive(RecordingBody.StreamOf(context));
            await context.Response.Body.WriteAsync("\n"u8.ToArray());
            await context.Response.Body.WriteAsync("\n"u8.ToArray());
        }).InvokeAsync(context);

        Assert.Equal("data: x\r\n\r:\n:\n\n", body.Text);
    }

    [Fact]
    public async Task What_only_began_like_a_byte_order_mark_is_not_lost()
    {
        var body = new RecordingBody();
        var context = body.Context(Services);
        await new SseMiddleware(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync();
            RecordingBody.KeepAlive(RecordingBody.StreamOf(context));
            await context.Response.Body.WriteAsync(new byte[] { 0xEF });
            RecordingBody.KeepAlive(RecordingBody.StreamOf(context));
            await context.Response.Body.WriteAsync(new byte[] { 0xBC, 0xA1, (byte)':' });
            RecordingBody.KeepAlive(RecordingBody.StreamOf(context));
            await context.Response.Body.WriteAsync(" x\n\n"u8.ToArray());
        }).InvokeAsync(context);

        Assert.Equal(":\n:\n\uFF21: x\n\n", body.Text);
    }

    [Fact]
    public async Task A_stream_that_writes_is_not_kept_alive()
    {
        var time = new FakeTimeProvider();
        await using var services = new ServiceCollection().AddLogging().AddSingleton<TimeProvider>(time).AddSse().Services.BuildServiceProvider();
        var body = new RecordingBody();
        var written = "";
        await new SseMiddleware(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 20; i++)
            {
                await context.Response.WriteAsync("data: x\n\n");
                written += "data: x\n\n";
                time.Advance(TimeSpan.FromSeconds(10));
            }

            time.Advance(TimeSpan.FromSeconds(5));
            await Until(() => body.Text != written);
        }).InvokeAsync(body.Context(services));
        Assert.Equal(written + ":\n", body.Text);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task An_endpoints_own_interval_holds_for_what_it_writes_itself(string http)
    {
        var time = new FakeTimeProvider();
        var hand = new HandWriter();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.MapGet("/", async context =>
                {
                    context.Response.ContentType = "text/event-stream";
                    await context.Response.StartAsync();
                    await hand.WriteToAsync(context.Response.Body);
                }).WithMetadata(new SseStreamOptions { KeepAliveInterval = TimeSpan.FromMinutes(1) });
            },
            http,
            time: time);
        using var reading = ArrivingBytes.Of(app, "/");
        await reading.Started.Soon();
        var expected = "";
        for (var i = 0; i < 10; i++)
        {
            await hand.WriteAsync("data: x\n\n"u8.ToArray());
            await reading.ExpectAsync(expected += "data: x\n\n");
            time.Advance(TimeSpan.FromSeconds(45));
        }

        await reading.SilenceAsync(time);
        hand.End();
        await reading.ExpectAllAsync(expected + ":\n");
    }
}
