using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;

namespace SseKit.BrowserTests;

/// <summary>
/// A real server in this process, with an empty page to run an EventSource in. It writes down the requests for streams, and can cut the
/// connection of the last one.
/// </summary>
internal sealed class PageServer : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Method, string? LastEventId)> _requests = new();
    private readonly WebApplication _app;
    private volatile IConnectionLifetimeFeature? _connection;

    private PageServer(WebApplication app) => _app = app;

    public string Url => _app.Urls.First();

    public ISseTopics Topics => _app.Services.GetRequiredService<ISseTopics>();

    public ISseConnections Connections => _app.Services.GetRequiredService<ISseConnections>();

    /// <summary>The requests to <c>/stream…</c> so far: their methods, and what their <c>Last-Event-ID</c> said.</summary>
    public IReadOnlyList<(string Method, string? LastEventId)> Requests => [.. _requests];

    public static async Task<PageServer> StartAsync(Action<WebApplication> map, Action<SseOptions>? options = null, string url = "http://127.0.0.1:0")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url);
        builder.Services.AddSse(options ?? (_ => { }));
        builder.Services.AddCors(cors => cors.AddDefaultPolicy(policy => policy.AllowAnyOrigin()));
        var app = builder.Build();
        var server = new PageServer(app);
        app.Use(server.NoteAsync);
        app.UseCors();
        app.MapGet("/", () => Results.Content("<!doctype html><title>page</title><link rel=icon href=data:,>", "text/html"));
        map(app);
        await app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>Opens an EventSource in a page, whose doings are gathered in the page's <c>seen</c>.</summary>
    public async Task<IPage> ListenAsync(Chromium chromium, string stream)
    {
        var page = await chromium.OpenAsync(Url);
        await ListenAsync(page, stream);
        return page;
    }

    public static Task ListenAsync(IPage page, string stream) =>
        page.EvaluateAsync(
            """
            url => {
              window.seen = [];
              window.source = new EventSource(url);
              const note = kind => event => seen.push({ kind, data: event.data ?? '', id: event.lastEventId ?? '' });
              for (const kind of ['open', 'error', 'message', 'gap']) source.addEventListener(kind, note(kind));
            }
            """,
            stream);

    /// <summary>Cuts the connection of the last request for a stream, without a word.</summary>
    public void Cut() => _connection!.Abort();

    /// <summary>Stops in good order, as a deploy does.</summary>
    public Task StopAsync() => _app.StopAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private Task NoteAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Path.StartsWithSegments("/stream"))
        {
            string? lastEventId = context.Request.Headers["Last-Event-ID"];
            _connection = context.Features.Get<IConnectionLifetimeFeature>();
            _requests.Enqueue((context.Request.Method, lastEventId));
        }

        return next(context);
    }
}
