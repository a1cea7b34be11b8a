using System.Net.ServerSentEvents;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace SseKit.Benchmarks.Server;

/// <summary>What a resume is measured against: the same events from a list, and the same bytes at once.</summary>
internal static class Replays
{
    public static void Map(WebApplication app, int count)
    {
        var texts = Enumerable.Range(1, count).Select(i => Content.FanOut(i, 0)).ToArray();

        // As long as what SseKit sends: an id of 12 characters, a dash and the number.
        var bytes = Encoding.UTF8.GetBytes(string.Concat(texts.Select((text, i) => $"data: {text}\nid: 0123456789ab-{i + 1}\n\n")));
        app.MapGet("/typed/replay", (CancellationToken stop) => TypedResults.ServerSentEvents(ListAsync(texts)));
        app.MapGet("/bare/replay", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.BodyWriter.WriteAsync(bytes);
        });
    }

    private static async IAsyncEnumerable<SseItem<string>> ListAsync(string[] texts)
    {
        for (var i = 0; i < texts.Length; i++)
        {
            yield return new SseItem<string>(texts[i]) { EventId = $"0123456789ab-{i + 1}" };
        }

        await Task.CompletedTask;
    }
}
