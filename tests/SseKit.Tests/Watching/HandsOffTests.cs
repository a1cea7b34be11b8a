using System.Buffers;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Watching;

/// <summary>What is not an event stream of somebody else's passes as if the middleware were not there.</summary>
public class HandsOffTests
{
    private static readonly Dictionary<string, Func<HttpContext, Task>> Others = new()
    {
        ["nothing at all"] = _ => Task.CompletedTask,
        ["text"] = context => context.Response.WriteAsync("hello"),
        ["text after a yield"] = async context =>
        {
            await Task.Yield();
            await context.Response.WriteAsync("hello");
        },
        ["json"] = context => context.Response.WriteAsJsonAsync(new { Text = "hello" }),
        ["a stream of another type"] = async context =>
        {
            context.Response.ContentType = "text/event-stream-foo";
            await context.Response.StartAsync();
            await context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray());
            await context.Response.Body.FlushAsync();
            context.Response.BodyWriter.Write("data: y"u8);
        },
        ["bytes without a type, mixed and not flushed"] = async context =>
        {
            context.Response.BodyWriter.Write("one "u8);
            await context.Response.Body.WriteAsync("two "u8.ToArray());
            context.Response.BodyWriter.Write("three"u8);
        },
        ["a type that comes after the first bytes"] = async context =>
        {
            context.Response.BodyWriter.Write("data: "u8);
            context.Response.ContentType = "text/event-stream";
            context.Response.BodyWriter.Write("x\n\n"u8);
            await context.Response.BodyWriter.FlushAsync();
        },
        ["a body that was asked for before the type changed"] = async context =>
        {
            context.Response.ContentType = "text/plain";
            var body = context.Response.Body;
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync();
            await body.WriteAsync("data: x"u8.ToArray());
            await context.Response.Body.WriteAsync("\n\n"u8.ToArray());
        },
        ["a known length"] = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.ContentLength = 9;
            await context.Response.WriteAsync("data: x\n\n");
        },
        ["a length that is known at last"] = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.BodyWriter.Write("data: x\n\n"u8);
            context.Response.ContentLength = 9;
            await context.Response.BodyWriter.FlushAsync();
        },
        ["encoded"] = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.ContentEncoding = "br";
            await context.Response.StartAsync();
            await context.Response.WriteAsync("(brotli)");
        },
        ["204"] = context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.StatusCode = 204;
            return context.Response.StartAsync();
        },
        ["304"] = context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.StatusCode = 304;
            return context.Response.StartAsync();
        },
        ["503 with a stream's type"] = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.StatusCode = 503;
            await context.Response.WriteAsync("retry: 1\n");
        },
        ["a stream that failed before it began, and its error page"] = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            context.Response.BodyWriter.GetSpan(100)[0] = 1;
            Assert.NotNull(context.Response.Body);
            context.Response.Clear();
            context.Response.StatusCode = 500;
            context.Response.ContentType = "text/html";
            await context.Response.WriteAsync("sorry");
            await context.Response.Body.WriteAsync(", really"u8.ToArray());
        },
        ["sent as a file"] = async context =>
        {
            var file = Path.GetTempFileName();
            await File.WriteAllTextAsync(file, "a file");
            await context.Response.SendFileAsync(file);
            File.Delete(file);
        },
        ["completed, then more"] = async context =>
        {
            await context.Response.WriteAsync("x");
            await context.Response.CompleteAsync();
        },
        ["a writer that was completed"] = async context =>
        {
            context.Response.BodyWriter.Write("x"u8);
            await context.Response.BodyWriter.CompleteAsync();
        },
        ["old style"] = context =>
        {
            var bytes = "hello"u8.ToArray();
            return Task.Factory.FromAsync(context.Response.Body.BeginWrite, context.Response.Body.EndWrite, bytes, 0, bytes.Length, null);
        },
        ["an exception"] = _ => throw new InvalidOperationException("on purpose"),
        ["an exception of a result whose source fails at once"] = context => TypedResults.ServerSentEvents(FailingAsync()).ExecuteAsync(context),
    };

    public static MatrixTheoryData<string, string> EveryOther() => new(["1.1", "2.0"], [.. Others.Keys]);

    [Theory]
    [MemberData(nameof(EveryOther))]
    public async Task What_is_no_event_stream_passes_untouched(string http, string what)
    {
        var without = await AnswerAsync(HttpMethod.Get, _ => { }, Others[what], http);
        var with = await AnswerAsync(HttpMethod.Get, web => web.UseSse(), Others[what], http);
        Assert.Equal(without, with);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_head_request_gets_what_the_app_says(string http)
    {
        static async Task Head(HttpContext context)
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync();
            await context.Response.WriteAsync("data: x\n\n");
        }

        var without = await AnswerAsync(HttpMethod.Head, _ => { }, Head, http);
        var with = await AnswerAsync(HttpMethod.Head, web => web.UseSse(), Head, http);
        Assert.Equal(without, with);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_middleware_that_swaps_the_body_and_puts_it_back_finds_what_it_left(string http)
    {
        static void Swap(WebApplication web) => web.Use(async (context, next) =>
        {
            var body = context.Response.Body;
            using var memory = new MemoryStream();
            context.Response.Body = memory;
            await next();
            context.Response.Body = body;
            context.Response.BodyWriter.Write(memory.ToArray());
            context.Response.BodyWriter.Write("!"u8);
        });
        static Task Json(HttpContext context) => context.Response.WriteAsJsonAsync(new { Text = "hello" });

        var without = await AnswerAsync(HttpMethod.Get, Swap, Json, http);
        var with = await AnswerAsync(
            HttpMethod.Get,
            web =>
            {
                web.UseSse();
                Swap(web);
            },
            Json,
            http);
        Assert.Contains("{\"text\":\"hello\"}!", with, StringComparison.Ordinal);
        Assert.Equal(without, with);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_middleware_before_it_may_hold_the_body_in_memory_and_have_it_cleared(string http)
    {
        static void Hold(WebApplication web) => web.Use(async (context, next) =>
        {
            var body = context.Response.Body;
            using var memory = new MemoryStream();
            context.Response.Body = memory;
            await next();
            context.Response.Body = body;
            await context.Response.Body.WriteAsync(memory.ToArray());
        });
        static async Task Change(HttpContext context)
        {
            await context.Response.Body.WriteAsync("nonsense"u8.ToArray());
            context.Response.Clear();
            await context.Response.Body.WriteAsync("sense"u8.ToArray());
        }

        var without = await AnswerAsync(HttpMethod.Get, Hold, Change, http);
        var with = await AnswerAsync(
            HttpMethod.Get,
            web =>
            {
                Hold(web);
                web.UseSse();
            },
            Change,
            http);
        Assert.Equal(without, with);
    }

    [Fact]
    public async Task Trailers_pass()
    {
        static async Task Trail(HttpContext context)
        {
            context.Response.DeclareTrailer("X-Sum");
            await context.Response.WriteAsync("x");
            context.Response.AppendTrailer("X-Sum", "1");
        }

        var without = await AnswerAsync(HttpMethod.Get, _ => { }, Trail, "2.0");
        var with = await AnswerAsync(HttpMethod.Get, web => web.UseSse(), Trail, "2.0");
        Assert.Contains("x-sum: 1", with, StringComparison.Ordinal);
        Assert.Equal(without, with);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Static_files_pass(string http)
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "a.txt"), "a file", TestContext.Current.CancellationToken);
            await using var app = await TestApp.StartAsync(
                web =>
                {
                    web.UseSse();
                    web.UseStaticFiles(new StaticFileOptions { FileProvider = new PhysicalFileProvider(folder.FullName) });
                },
                http);
            using var response = await app.Client.GetAsync("/a.txt", TestContext.Current.CancellationToken);
            Assert.Equal("a file", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            Assert.Equal(6, response.Content.Headers.ContentLength);
            Assert.False(response.Headers.Contains("X-Accel-Buffering"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_web_socket_works(string http)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.UseWebSockets();
                web.Map("/", async context =>
                {
                    using var socket = await context.WebSockets.AcceptWebSocketAsync();
                    var buffer = new byte[100];
                    var received = await socket.ReceiveAsync(buffer, context.RequestAborted);
                    await socket.SendAsync(buffer.AsMemory(0, received.Count), WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
                    await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
                });
            },
            http);
        using var client = new ClientWebSocket();
        client.Options.HttpVersion = app.Client.DefaultRequestVersion;
        client.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        await client.ConnectAsync(new Uri($"ws://127.0.0.1:{app.Port}/"), app.Client, TestContext.Current.CancellationToken).Soon();
        await client.SendAsync("echo"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, TestContext.Current.CancellationToken).Soon();
        var buffer = new byte[100];
        var received = await client.ReceiveAsync(buffer, TestContext.Current.CancellationToken).Soon();
        Assert.Equal("echo", Encoding.UTF8.GetString(buffer, 0, received.Count));
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, null, TestContext.Current.CancellationToken).Soon();
    }

    public static MatrixTheoryData<string, string, bool> Anyones() => new(["1.1", "2.0"], ["/result", "/source", "/loop"], [false, true]);

    [Theory]
    [MemberData(nameof(Anyones))]
    public async Task Every_stream_gets_one_keep_alive_an_interval_whoever_sends_it(string http, string path, bool wrapped)
    {
        var time = new FakeTimeProvider();
        var source = new HandSource();
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseSse();
                web.UseSse();
                if (wrapped)
                {
                    web.Use(async (context, next) =>
                    {
                        var body = context.Response.Body;
                        context.Response.Body = new PassingStream(body);
                        await next();
                        context.Response.Body = body;
                    });
                }

                web.MapGet("/result", () => new EventSourceResult(source));
                web.MapSse("/source", _ => source);
                web.MapGet("/loop", async context =>
                {
                    context.Response.ContentType = "text/event-stream";
                    await context.Response.StartAsync();
                    await end.Task;
                    await context.Response.WriteAsync("data: end\n\n");
                });
            },
            http,
            time: time);
        using var reading = ArrivingBytes.Of(app, path);
        await reading.Started.Soon();
        if (path != "/loop")
        {
            await source.IsWaitedForAsync();
        }

        var intervals = 0;
        for (var i = 0; i < 4; i++)
        {
            intervals += await reading.SilenceAsync(time);
        }

        end.SetResult();
        source.Emit("end");
        source.End();
        await reading.ExpectAllAsync(":\ndata: end\n\n");
        // SseKit's own streams open with one.
        intervals += path == "/loop" ? 0 : 1;
        Assert.True(reading.KeepAlives <= intervals, $"{reading.KeepAlives} keep-alives in {intervals} intervals");
    }

    private static async Task<string> AnswerAsync(HttpMethod method, Action<WebApplication> use, Func<HttpContext, Task> answer, string http)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                use(web);
                web.Run(new RequestDelegate(answer));
            },
            http);
        using var request = new HttpRequestMessage(method, "/") { Version = app.Client.DefaultRequestVersion, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var response = await app.Client.SendAsync(request);
        var seen = new StringBuilder().Append((int)response.StatusCode).Append('\n');
        foreach (var (name, value) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated).Where(header => header.Key != "Date"))
        {
            seen.Append(name).Append(": ").Append(value).Append('\n');
        }

        seen.Append(await response.Content.ReadAsStringAsync()).Append('\n');
        foreach (var (name, value) in response.TrailingHeaders.NonValidated)
        {
            seen.Append(name).Append(": ").Append(value).Append('\n');
        }

        return seen.ToString();
    }

#pragma warning disable CS1998 // No await, since it must never be pending.
    private static async IAsyncEnumerable<string> FailingAsync()
    {
        throw new InvalidOperationException("on purpose");
#pragma warning disable CS0162 // It makes this an iterator.
        yield break;
#pragma warning restore CS0162
    }
#pragma warning restore CS1998

    private sealed class PassingStream(Stream inner) : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => inner.WriteAsync(buffer, cancellationToken);

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
    }
}
