using System.Collections.Concurrent;
using System.Net;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace SseKit.ClientTests;

/// <summary>
/// A real Kestrel with every stream in two forms: <c>/own/x</c> is SseKit's, <c>/wrapped/x</c> the same bytes from a hand-written loop behind
/// <c>app.UseSse()</c>. Keep-alives come as fast as they can, so every stream is full of them.
/// </summary>
internal sealed class StreamServer : IAsyncDisposable
{
    public const string Own = "own";
    public const string Wrapped = "wrapped";

    private readonly ConcurrentDictionary<string, Visit> _visits = [];
    private readonly WebApplication _app;

    private StreamServer(WebApplication app) => _app = app;

    public int Port { get; private set; }

    public string Address => $"http://127.0.0.1:{Port}";

    public static async Task<StreamServer> StartAsync(string clientFolder)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Use(Wiretap.Into)));
        builder.Services.AddSse(options =>
        {
            options.KeepAliveInterval = TimeSpan.FromMilliseconds(100);
            options.ReconnectionInterval = TimeSpan.FromMilliseconds(500);
        });
        var app = builder.Build();
        var server = new StreamServer(app);

        app.UseSse();
        app.Use(server.VisitAsync);
        app.UseRouting();
        foreach (var source in Sources.All)
        {
            if (source.Topic is not null)
            {
                app.MapSse($"/own/{source.Name}", context => TopicOf(source, context.Request.Query["client"].ToString()), source.Topic);
            }
            else if (!source.ByHandOnly)
            {
                app.MapGet($"/own/{source.Name}", (HttpContext context) => PlayOwn(context, source));
            }

            app.MapGet($"/wrapped/{source.Name}", (HttpContext context) => PlayByHandAsync(context, source));
        }

        app.MapGet("/{form}/opened", (string form, string client) => server.VisitOf(client, form, "early").Opened.TrySetResult());
        app.MapGet("/empty", () => Results.Text("<!doctype html><title>frames</title>", "text/html"));
        app.MapGet("/frame.html", () => Results.File(Path.Combine(clientFolder, "frame.html"), "text/html"));
        app.MapGet("/watch.mjs", () => Results.File(Path.Combine(clientFolder, "watch.mjs"), "text/javascript"));

        // Its modules import each other without an ending, as bundlers allow.
        app.MapGet("/modules/{**path}", (string path) => Results.File(
            Path.Combine(clientFolder, "node_modules", Path.HasExtension(path) ? path : path + ".js"), "text/javascript"));

        await app.StartAsync();
        server.Port = new Uri(app.Urls.Single()).Port;
        return server;
    }

    public Visit VisitOf(string client, string form, string source) => _visits.GetOrAdd($"{client} {form}/{source}", _ => new Visit());

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static string TopicOf(Source source, string client) => $"{source.Name}/{client}";

    private static Visit VisitOf(HttpContext context) => (Visit)context.Items[typeof(Visit)]!;

    private async Task VisitAsync(HttpContext context, RequestDelegate next)
    {
        var path = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (path is [Own or Wrapped, var name] && Sources.All.FirstOrDefault(source => source.Name == name) is { } source)
        {
            var client = context.Request.Query["client"].ToString();
            var visit = VisitOf(client, path[0], name);
            context.Items[typeof(Visit)] = visit;
            context.Features.Get<Wiretap>()!.Reset();
            var id = context.Request.Headers["Last-Event-ID"].ToString();
            visit.Arrive(id.Length == 0 ? "-" : id);
            visit.Stepped();
            if (path[0] == Own && source.Prepare is not null)
            {
                await source.Prepare(context, visit, TopicOf(source, client));
            }
        }

        await next(context);
    }

    private static IResult PlayOwn(HttpContext context, Source source) =>
        source.Answer(VisitOf(context)) is { } steps
            ? new EventSourceResult((_, stop) => PlayOwnAsync(context, steps, stop))
            : Results.NoContent();

    private static async IAsyncEnumerable<SseEvent> PlayOwnAsync(HttpContext context, IEnumerable<Step> steps, [EnumeratorCancellation] CancellationToken stop)
    {
        foreach (var step in steps)
        {
            VisitOf(context).Stepped();
            switch (step)
            {
                case Step.Send send:
                    yield return send.Item;
                    break;
                case Step.Fail:
                    throw new InvalidOperationException("The source fails.");
                default:
                    await PlayAsync(context, step, stop);
                    break;
            }
        }
    }

    private static async Task PlayByHandAsync(HttpContext context, Source source)
    {
        if (source.Answer(VisitOf(context)) is not { } steps)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }

        var stop = context.RequestAborted;
        context.Response.ContentType = "text/event-stream";
        await context.Response.StartAsync(stop);
        foreach (var step in steps)
        {
            VisitOf(context).Stepped();
            switch (step)
            {
                case Step.Send send:
                    await context.Response.WriteAsync(send.Bytes, stop);
                    await context.Response.Body.FlushAsync(stop);
                    break;
                case Step.Fail fail:
                    await context.Response.WriteAsync(fail.Bytes, stop);
                    break;
                case Step.Piece piece:
                    await context.Response.WriteAsync(piece.Bytes, stop);
                    await context.Response.Body.FlushAsync(stop);

                    // What is tried here is silence itself; nothing is concluded from how long it really took.
                    await Task.Delay(TimeSpan.FromMilliseconds(250), stop);
                    break;
                default:
                    await PlayAsync(context, step, stop);
                    break;
            }
        }
    }

    private static async Task PlayAsync(HttpContext context, Step step, CancellationToken stop)
    {
        var tap = context.Features.Get<Wiretap>()!;
        switch (step)
        {
            case Step.KeepAlives silence:
                await tap.KeepAlivesAsync(silence.Count).WaitAsync(stop);
                break;
            case Step.Opened:
                await VisitOf(context).Opened.Task.WaitAsync(stop);
                break;
            case Step.CutAfter cut:
                tap.CutAfter(cut.Text, VisitOf(context).Requests);
                break;
            case Step.AbortAfter abort:
                await tap.SentAsync(abort.Text).WaitAsync(stop);
                context.Abort();
                break;
        }
    }
}
