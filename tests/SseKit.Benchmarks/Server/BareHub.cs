using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace SseKit.Benchmarks.Server;

/// <summary>
/// The limit of what any library on Kestrel can reach: one loop that writes bytes which are encoded already to all connections, and knows nothing
/// of slow clients, resuming, filters or keep-alives.
/// </summary>
/// <param name="idLine">What each event ends with before its blank line.</param>
internal sealed class BareHub(string idLine = "")
{
    private const int Slots = 64;

    private readonly Lock _gate = new();
    private readonly List<PipeWriter> _writers = [];

    public static void Map(WebApplication app, string pattern, BareHub hub) => app.MapGet(pattern, async (HttpContext context) =>
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.StartAsync();
        await context.Response.Body.FlushAsync();
        var writer = context.Response.BodyWriter;
        lock (hub._gate)
        {
            hub._writers.Add(writer);
        }

        await Silence.UntilGoneAsync(context.RequestAborted);
        lock (hub._gate)
        {
            hub._writers.Remove(writer);
        }
    });

    public void Publish(IEnumerable<string> texts) => Write(Encoding.UTF8.GetBytes(string.Concat(texts.Select(text => $"data: {text}\n{idLine}\n"))), 0, 1);

    /// <summary>Writes a comment to each connection once in every interval, spread over it.</summary>
    public void KeepAlive(TimeSpan interval)
    {
        var thread = new Thread(() =>
        {
            var comment = ":\n"u8.ToArray();
            for (var slot = 0; ; slot = (slot + 1) % Slots)
            {
                Thread.Sleep(interval / Slots);
                Write(comment, slot, Slots);
            }
        });
        thread.IsBackground = true;
        thread.Start();
    }

    private void Write(byte[] bytes, int first, int step)
    {
        lock (_gate)
        {
            for (var i = first; i < _writers.Count; i += step)
            {
                var flush = _writers[i].WriteAsync(bytes);
                if (!flush.IsCompleted)
                {
                    flush.AsTask().Wait();
                }
            }
        }
    }
}
