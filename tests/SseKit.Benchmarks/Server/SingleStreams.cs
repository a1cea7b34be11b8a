using System.Buffers;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace SseKit.Benchmarks.Server;

/// <summary>
/// One stream from a source: of ours and of the peers. With <c>empty=true</c> the source is consumed by an empty loop instead, which tells
/// what the source itself allocates.
/// </summary>
internal static class SingleStreams
{
    private const int ChunkBytes = 32 * 1024;

    public static void Map(WebApplication app)
    {
        foreach (var length in (int[])[64, 512])
        {
            var texts = Content.Texts(length);
            app.MapGet($"/ssekit/text{length}", (int n, bool wait, bool empty, CancellationToken stop) =>
                Answer(Events(texts, n, wait, stop), empty, source => new EventSourceResult(source)));
            app.MapGet($"/typed/text{length}", (int n, bool wait, bool empty, CancellationToken stop) =>
                Answer(Items(texts, n, wait, stop), empty, TypedResults.ServerSentEvents));
            app.MapGet($"/loop/text{length}", (HttpContext context, int n, bool wait, bool empty, CancellationToken stop) =>
                Answer(Texts(texts, n, wait, stop), empty, source => new Loop(source)));
            var frames = texts.Select(text => Content.Stream([text])).ToArray();
            app.MapGet($"/bare/text{length}", (HttpContext context, int n, bool wait, bool empty, CancellationToken stop) =>
                wait ? Answer(Texts(texts, n, wait, stop), empty, source => new BareLoop(source, frames)) : BareAsync(context, Content.Stream(texts), empty ? 0 : n));
        }

        app.MapGet("/ssekit/json", (int n, bool wait, bool empty, CancellationToken stop) =>
            Answer(Ticks(n, wait, stop), empty, source => new EventSourceResult<Tick>(source)));
        app.MapGet("/typed/json", (int n, bool wait, bool empty, CancellationToken stop) =>
            Answer(TickItems(n, wait, stop), empty, TypedResults.ServerSentEvents));
        app.MapGet("/bare/json", (int n, bool wait, bool empty, CancellationToken stop) =>
            Answer(Ticks(n, wait, stop), empty, source => new BareJson(source)));
        app.MapGet("/loop/json", (int n, bool wait, bool empty, CancellationToken stop) =>
            Answer(Ticks(n, wait, stop), empty, source => new JsonLoop(source)));
    }

    private static async Task<IResult> Answer<T>(IAsyncEnumerable<T> source, bool empty, Func<IAsyncEnumerable<T>, IResult> answer)
    {
        if (!empty)
        {
            return answer(source);
        }

        await foreach (var _ in source)
        {
        }

        return new Ended();
    }

    private static async IAsyncEnumerable<SseEvent> Events(string[] texts, int n, bool wait, [EnumeratorCancellation] CancellationToken stop)
    {
        for (var i = 0; i < n && !stop.IsCancellationRequested; i++)
        {
            if (wait)
            {
                await Task.Yield();
            }

            yield return new SseEvent(texts[i % Content.Period]);
        }
    }

    private static async IAsyncEnumerable<SseItem<string>> Items(string[] texts, int n, bool wait, [EnumeratorCancellation] CancellationToken stop)
    {
        for (var i = 0; i < n && !stop.IsCancellationRequested; i++)
        {
            if (wait)
            {
                await Task.Yield();
            }

            yield return new SseItem<string>(texts[i % Content.Period]);
        }
    }

    private static async IAsyncEnumerable<string> Texts(string[] texts, int n, bool wait, [EnumeratorCancellation] CancellationToken stop)
    {
        for (var i = 0; i < n && !stop.IsCancellationRequested; i++)
        {
            if (wait)
            {
                await Task.Yield();
            }

            yield return texts[i % Content.Period];
        }
    }

    private static async IAsyncEnumerable<Tick> Ticks(int n, bool wait, [EnumeratorCancellation] CancellationToken stop)
    {
        for (var i = 0; i < n && !stop.IsCancellationRequested; i++)
        {
            if (wait)
            {
                await Task.Yield();
            }

            yield return Content.Tick(i);
        }
    }

    private static async IAsyncEnumerable<SseItem<Tick>> TickItems(int n, bool wait, [EnumeratorCancellation] CancellationToken stop)
    {
        for (var i = 0; i < n && !stop.IsCancellationRequested; i++)
        {
            if (wait)
            {
                await Task.Yield();
            }

            yield return new SseItem<Tick>(Content.Tick(i));
        }
    }

    /// <summary>The limit: bytes that were encoded long ago, in large pieces.</summary>
    private static async Task<IResult> BareAsync(HttpContext context, byte[] period, int n)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.StartAsync();
        var left = (long)period.Length / Content.Period * n;
        for (var at = 0; left > 0;)
        {
            var length = (int)Math.Min(left, Math.Min(ChunkBytes, period.Length - at));
            await context.Response.BodyWriter.WriteAsync(period.AsMemory(at, length));
            left -= length;
            at = (at + length) % period.Length;
        }

        return Results.Empty;
    }

    /// <summary>A response with an end and nothing else.</summary>
    private sealed class Ended : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.ContentType = "text/event-stream";
            return httpContext.Response.StartAsync();
        }
    }

    /// <summary>What tutorials show.</summary>
    private sealed class Loop(IAsyncEnumerable<string> source) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.ContentType = "text/event-stream";
            await foreach (var text in source)
            {
                await httpContext.Response.WriteAsync($"data: {text}\n\n");
                await httpContext.Response.Body.FlushAsync();
            }
        }
    }

    /// <summary>The limit with a source that waits: its step, and bytes that were encoded long ago.</summary>
    private sealed class BareLoop(IAsyncEnumerable<string> source, byte[][] frames) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.ContentType = "text/event-stream";
            var i = 0;
            await foreach (var _ in source)
            {
                await httpContext.Response.BodyWriter.WriteAsync(frames[i++ % frames.Length]);
            }
        }
    }

    /// <summary>The limit with JSON: the source's step, the serializer, and large pieces.</summary>
    private sealed class BareJson(IAsyncEnumerable<Tick> source) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.ContentType = "text/event-stream";
            var contract = Contract(httpContext);
            var piece = new ArrayBufferWriter<byte>(2 * ChunkBytes);
            await using var writer = new Utf8JsonWriter(piece, new JsonWriterOptions { SkipValidation = true });
            await foreach (var tick in source)
            {
                piece.Write("data: "u8);
                JsonSerializer.Serialize(writer, tick, contract);
                piece.Write("\n\n"u8);
                writer.Reset();
                if (piece.WrittenCount >= ChunkBytes)
                {
                    await httpContext.Response.BodyWriter.WriteAsync(piece.WrittenMemory);
                    piece.ResetWrittenCount();
                }
            }

            await httpContext.Response.BodyWriter.WriteAsync(piece.WrittenMemory);
        }

        private static JsonTypeInfo<Tick> Contract(HttpContext context) =>
            (JsonTypeInfo<Tick>)context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions.GetTypeInfo(typeof(Tick));
    }

    private sealed class JsonLoop(IAsyncEnumerable<Tick> source) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.ContentType = "text/event-stream";
            await foreach (var tick in source)
            {
                var json = JsonSerializer.Serialize(tick, TickContext.Default.Tick);
                await httpContext.Response.WriteAsync($"data: {json}\n\n", Encoding.UTF8);
                await httpContext.Response.Body.FlushAsync();
            }
        }
    }
}
