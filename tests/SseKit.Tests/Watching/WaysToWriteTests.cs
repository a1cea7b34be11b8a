using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Watching;

/// <summary>Whichever way an app writes its stream, it gets keep-alives between its events and loses nothing.</summary>
public class WaysToWriteTests
{
    private const string One = "data: one\n\n";
    private const string Two = "data: two\n\n";

    private static readonly byte[] OneBytes = Encoding.UTF8.GetBytes(One);
    private static readonly byte[] TwoBytes = Encoding.UTF8.GetBytes(Two);

    private static readonly Dictionary<string, Func<HttpContext, Task, Task>> Ways = new()
    {
        ["Body.WriteAsync of memory"] = async (context, pause) =>
        {
            await context.Response.Body.WriteAsync(OneBytes.AsMemory());
            await pause;
            await context.Response.Body.WriteAsync(TwoBytes.AsMemory());
        },
        ["Body.WriteAsync of an array"] = async (context, pause) =>
        {
            Task Write(byte[] bytes) => context.Response.Body.WriteAsync(bytes, 0, bytes.Length, context.RequestAborted);
            await Write(OneBytes);
            await pause;
            await Write(TwoBytes);
        },
        ["Body.BeginWrite"] = async (context, pause) =>
        {
            Task Write(byte[] bytes) => Task.Factory.FromAsync(context.Response.Body.BeginWrite, context.Response.Body.EndWrite, bytes, 0, bytes.Length, null);
            context.Features.GetRequiredFeature<IHttpBodyControlFeature>().AllowSynchronousIO = false;
            await Write(OneBytes);
            await pause;
            await Write(TwoBytes);
        },
        ["Body.Write"] = async (context, pause) =>
        {
            context.Response.Body.Write(OneBytes);
            await pause;
            context.Response.Body.Write(TwoBytes, 0, TwoBytes.Length);
        },
        ["Body.WriteByte and Flush"] = async (context, pause) =>
        {
            Array.ForEach(OneBytes, context.Response.Body.WriteByte);
            context.Response.Body.Flush();
            await pause;
            Array.ForEach(TwoBytes, context.Response.Body.WriteByte);
        },
        ["Body.CopyTo"] = async (context, pause) =>
        {
            await new MemoryStream(OneBytes).CopyToAsync(context.Response.Body);
            await pause;
            new MemoryStream(TwoBytes).CopyTo(context.Response.Body);
        },
        ["BodyWriter.WriteAsync"] = async (context, pause) =>
        {
            await context.Response.BodyWriter.WriteAsync(OneBytes);
            await pause;
            await context.Response.BodyWriter.WriteAsync(TwoBytes);
        },
        ["BodyWriter, never flushed at the end"] = async (context, pause) =>
        {
            context.Response.BodyWriter.Write(OneBytes);
            await context.Response.BodyWriter.FlushAsync();
            await pause;
            context.Response.BodyWriter.Write(TwoBytes);
        },
        ["BodyWriter, completed without a flush"] = async (context, pause) =>
        {
            context.Response.BodyWriter.Write(OneBytes);
            await context.Response.BodyWriter.FlushAsync();
            await pause;
            context.Response.BodyWriter.Write(TwoBytes);
            await context.Response.BodyWriter.CompleteAsync();
        },
        ["BodyWriter, its memory held across a flush and a keep-alive"] = async (context, pause) =>
        {
            var writer = context.Response.BodyWriter;
            var memory = writer.GetMemory(100);
            OneBytes.CopyTo(memory);
            writer.Advance(OneBytes.Length);
            await writer.FlushAsync();
            var rest = memory[OneBytes.Length..];
            TwoBytes.AsSpan(0, 4).CopyTo(rest.Span);
            await pause;
            TwoBytes.AsSpan(4).CopyTo(rest.Span[4..]);
            writer.Advance(TwoBytes.Length);
            await writer.FlushAsync();
        },
        ["BodyWriter, asked for memory before a keep-alive"] = async (context, pause) =>
        {
            var writer = context.Response.BodyWriter;
            await writer.WriteAsync(OneBytes);
            var memory = writer.GetMemory();
            await pause;
            TwoBytes.CopyTo(memory);
            writer.Advance(TwoBytes.Length);
            await writer.FlushAsync();
        },
        ["Response.WriteAsync"] = async (context, pause) =>
        {
            await context.Response.WriteAsync(One);
            await pause;
            await context.Response.WriteAsync(Two);
        },
        ["SendFileAsync"] = async (context, pause) =>
        {
            var file = Path.GetTempFileName();
            await File.WriteAllTextAsync(file, One + Two);
            await context.Response.SendFileAsync(file, 0, One.Length);
            await pause;
            await context.Response.SendFileAsync(file, One.Length, null);
            File.Delete(file);
        },
        ["StartAsync first, CompleteAsync last"] = async (context, pause) =>
        {
            await context.Response.StartAsync();
            await context.Response.Body.WriteAsync(OneBytes);
            await pause;
            context.Response.BodyWriter.Write(TwoBytes);
            await context.Response.CompleteAsync();
        },
        ["DisableBuffering first"] = async (context, pause) =>
        {
            context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            await context.Response.Body.WriteAsync(OneBytes);
            await pause;
            await context.Response.Body.WriteAsync(TwoBytes);
        },
        ["all of them by turns, in order"] = async (context, pause) =>
        {
            context.Response.BodyWriter.Write("data: "u8);
            await context.Response.Body.WriteAsync("on"u8.ToArray());
            context.Response.BodyWriter.Write("e"u8);
            context.Response.Body.Write("\n"u8);
            context.Response.BodyWriter.Write("\n"u8);
            await context.Response.Body.FlushAsync();
            await pause;
            context.Response.BodyWriter.Write("data: t"u8);
            await context.Response.WriteAsync("w");
            context.Response.BodyWriter.Write("o\n"u8);
            context.Response.Body.Flush();
            context.Response.Body.WriteByte((byte)'\n');
        },
    };

    public static MatrixTheoryData<string, string> EveryWay() => new(["1.1", "2.0"], [.. Ways.Keys]);

    [Theory]
    [MemberData(nameof(EveryWay))]
    public async Task Each_way_to_write_gets_keep_alives_and_loses_nothing(string http, string way)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, context => Ways[way](context, pause.Task));
        using var reading = ArrivingBytes.Of(app, "/");
        await reading.ExpectAsync(One);
        await reading.SilenceAsync(time);
        await reading.ExpectAsync(One + ":\n");
        pause.SetResult();
        await reading.ExpectAllAsync(One + ":\n" + Two);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_stream_writer_may_send_its_byte_order_mark_and_then_be_silent(string http)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, async context =>
        {
            await using var writer = new StreamWriter(context.Response.Body, Encoding.UTF8);
            await writer.FlushAsync();
            await pause.Task;
            await writer.WriteAsync(One + Two);
        });
        using var reading = ArrivingBytes.Of(app, "/");
        await reading.ExpectAsync("\u00ef\u00bb\u00bf");
        await reading.SilenceAsync(time);
        await reading.ExpectAsync("\u00ef\u00bb\u00bf:\n");
        pause.SetResult();
        await reading.ExpectAllAsync("\u00ef\u00bb\u00bf:\n" + One + Two);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_byte_order_mark_behind_a_keep_alive_is_no_text(string http)
    {
        var time = new FakeTimeProvider();
        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await StartAsync(http, time, async context =>
        {
            await context.Response.StartAsync();
            await pause.Task;
            await using var writer = new StreamWriter(context.Response.Body, Encoding.UTF8);
            await writer.WriteAsync(One);
        });
        using var reading = ArrivingBytes.Of(app, "/");
        await reading.Started.Soon();
        await reading.SilenceAsync(time);
        await reading.ExpectAsync(":\n");
        pause.SetResult();
        await reading.ExpectAllAsync(":\n" + One);
    }

    private static Task<TestApp> StartAsync(string http, FakeTimeProvider time, RequestDelegate write) => TestApp.StartAsync(
        web =>
        {
            web.UseSse();
            web.MapGet("/", context =>
            {
                context.Response.ContentType = "text/event-stream; charset=utf-8";
                return write(context);
            });
        },
        http,
        services => services.Configure<KestrelServerOptions>(kestrel => kestrel.AllowSynchronousIO = true),
        time);
}
