using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace SseKit.Benchmarks.Server;

/// <summary>Streams on which nothing happens.</summary>
internal static class Silence
{
    public static void Map(WebApplication app, TimeSpan interval)
    {
        app.MapSse("/ssekit/silent", _ => NothingAsync());
        app.MapGet("/bare/silent", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            await UntilGoneAsync(context.RequestAborted);
        });
        app.MapGet("/bare/source", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            await foreach (var _ in NothingAsync(context.RequestAborted))
            {
            }
        });
        var spread = new BareHub();
        BareHub.Map(app, "/spread/silent", spread);
        spread.KeepAlive(interval);
        app.MapGet("/timer/silent", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            using var timer = new PeriodicTimer(interval);
            while (await timer.WaitForNextTickAsync(context.RequestAborted))
            {
                context.Response.BodyWriter.Write(":\n"u8);
                await context.Response.BodyWriter.FlushAsync();
            }
        });
    }

    private static void Write(this System.IO.Pipelines.PipeWriter writer, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(writer.GetSpan(bytes.Length));
        writer.Advance(bytes.Length);
    }

    private static async IAsyncEnumerable<SseEvent> NothingAsync([EnumeratorCancellation] CancellationToken stop = default)
    {
        await UntilGoneAsync(stop);
        yield break;
    }

    public static Task UntilGoneAsync(CancellationToken stop)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        stop.UnsafeRegister(static gone => ((TaskCompletionSource)gone!).TrySetResult(), gone);
        return gone.Task;
    }
}
