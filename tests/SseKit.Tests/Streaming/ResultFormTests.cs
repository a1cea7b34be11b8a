using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Streaming;

public class ResultFormTests
{
    private const string TwoEvents = "data: a\n\ndata: b\n\n";

    private static readonly Dictionary<string, (Delegate Handler, string Expected)> Handlers = new()
    {
        ["EventSourceResult"] = (() => new EventSourceResult(Events.Of("a", "b")), TwoEvents),
        ["IResult"] = (IResult () => new EventSourceResult(Events.Of("a", "b")), TwoEvents),
        ["Task<IResult>"] = (async Task<IResult> () => await Task.FromResult(new EventSourceResult(Events.Of("a", "b"))), TwoEvents),
        ["Results<EventSourceResult, NotFound>"] = (Results<EventSourceResult, NotFound> () => new EventSourceResult(Events.Of("a", "b")), TwoEvents),
        ["Results<NotFound, EventSourceResult<Point>>"] = (
            Results<NotFound, EventSourceResult<Point>> () => EventSourceResult.From(Events.Values([new Point(1, 2)])), "data: {\"x\":1,\"y\":2}\n\n"),
        ["From(IAsyncEnumerable<SseEvent>)"] = (() => EventSourceResult.From(Events.Of("a", "b")), TwoEvents),
        ["From(IAsyncEnumerable<string>)"] = (() => EventSourceResult.From(Events.Values(["a", "b"])), TwoEvents),
        ["From(IAsyncEnumerable<string>) of one type"] = (
            () => EventSourceResult.From(Events.Values<string?>(["a", null, "b"]), "letter"), "event: letter\ndata: a\n\nevent: letter\ndata: \n\nevent: letter\ndata: b\n\n"),
        ["From(IAsyncEnumerable<byte[]>)"] = (() => EventSourceResult.From(Events.Values(["a"u8.ToArray(), "b"u8.ToArray()]), "bytes"), "event: bytes\ndata: a\n\nevent: bytes\ndata: b\n\n"),
        ["From(IAsyncEnumerable<T>)"] = (() => EventSourceResult.From(Events.Values<Point?>([new Point(1, 2), null]), "point"), "event: point\ndata: {\"x\":1,\"y\":2}\n\nevent: point\ndata: null\n\n"),
        ["From(IAsyncEnumerable<T>) by a contract"] = (() => EventSourceResult.From(Events.Values([new Point(1, 2)]), jsonTypeInfo: PointContract.Default.Point), "data: {\"X\":1,\"Y\":2}\n\n"),
        ["new EventSourceResult<T> by a contract"] = (() => new EventSourceResult<Point>(Events.Values([new Point(1, 2)]), "point", PointContract.Default.Point), "event: point\ndata: {\"X\":1,\"Y\":2}\n\n"),
        ["From(IAsyncEnumerable<SseItem<string>>)"] = (
            () => EventSourceResult.From(Events.Values([new SseItem<string>("a", "letter") { EventId = "1", ReconnectionInterval = TimeSpan.FromSeconds(2) }])),
            "event: letter\nretry: 2000\ndata: a\nid: 1\n\n"),
        ["From(IAsyncEnumerable<SseItem<T>>)"] = (() => EventSourceResult.From(Events.Values([new SseItem<Point>(new(1, 2)) { EventId = "1" }])), "data: {\"x\":1,\"y\":2}\nid: 1\n\n"),
        ["From(IAsyncEnumerable<SseItem<T>>) by a contract"] = (
            () => EventSourceResult.From(Events.Values([new SseItem<Point>(new(1, 2))]), PointContract.Default.Point), "data: {\"X\":1,\"Y\":2}\n\n"),
        ["a function of Last-Event-ID"] = (() => new EventSourceResult((id, _) => Events.Of(id ?? "none")), "data: none\n\n"),
        ["nothing at all"] = (() => new EventSourceResult(Events.Of()), ""),
    };

    public static TheoryData<string> HandlerForms => [.. Handlers.Keys];

    public static TheoryData<string> ActionForms =>
    [
        "/api/result", "/api/task", "/api/iresult", "/api/iactionresult", "/api/union", "/api/of",
        "/plain/result", "/plain/task", "/plain/iresult", "/plain/iactionresult", "/plain/of",
    ];

    [Theory]
    [MemberData(nameof(HandlerForms))]
    public async Task Minimal_APIs_take_it_in_every_form(string form)
    {
        var (handler, expected) = Handlers[form];
        await using var app = await TestApp.StartInMemoryAsync(web =>
        {
            web.MapGet("/", handler);
            web.MapGet("/filtered", handler).AddEndpointFilter(async (context, next) => await next(context));
        });
        foreach (var path in new[] { "/", "/filtered" })
        {
            using var stream = await app.OpenAsync(path);
            Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType!.ToString());
            Assert.Equal(expected, await stream.ReadToEndAsync());
        }

        Assert.Empty(app.Log.Troubles);
    }

    [Theory]
    [MemberData(nameof(ActionForms))]
    public async Task Controllers_take_the_same_class(string path)
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web => web.MapControllers(), services => services.AddControllers().AddApplicationPart(typeof(ResultFormTests).Assembly));
        using var stream = await app.OpenAsync(path);
        Assert.Equal(HttpStatusCode.OK, stream.Status);
        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType!.ToString());
        Assert.Equal(path.EndsWith("/of", StringComparison.Ordinal) ? "data: {\"x\":1,\"y\":2}\n\n" : TwoEvents, await stream.ReadToEndAsync());
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task A_controller_can_refuse_instead()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web => web.MapControllers(), services => services.AddControllers().AddApplicationPart(typeof(ResultFormTests).Assembly));
        using var stream = await app.OpenAsync("/api/missing");
        Assert.Equal(HttpStatusCode.NotFound, stream.Status);
    }

    [Fact]
    public async Task A_filter_can_look_at_the_result()
    {
        object? seen = null;
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Of("a"))).AddEndpointFilter(async (context, next) =>
        {
            seen = await next(context);
            return seen;
        }));
        using var stream = await app.OpenAsync("/");
        await stream.ReadToEndAsync();

        Assert.IsType<EventSourceResult>(seen);
        Assert.Equal(200, Assert.IsType<IStatusCodeHttpResult>(seen, exactMatch: false).StatusCode);
        Assert.Equal("text/event-stream", Assert.IsType<IContentTypeHttpResult>(seen, exactMatch: false).ContentType);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_bare_context_is_enough(bool withServices)
    {
        using var empty = new ServiceCollection().BuildServiceProvider();
        var context = new DefaultHttpContext { RequestServices = withServices ? empty : null! };
        using var body = new MemoryStream();
        context.Response.Body = body;

        await new EventSourceResult(Events.Values(["a", SseEvent.Json(new Point(1, 2))])).ExecuteAsync(context).Soon();

        Assert.Equal(200, context.Response.StatusCode);
        Assert.Equal("text/event-stream", context.Response.ContentType);
        Assert.Equal("data: a\n\ndata: {\"x\":1,\"y\":2}\n\n", System.Text.Encoding.UTF8.GetString(body.ToArray()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task On_a_bare_context_a_failure_has_nowhere_to_be_logged_and_does_no_harm(bool withServices)
    {
        using var empty = new ServiceCollection().BuildServiceProvider();
        var context = new DefaultHttpContext { RequestServices = withServices ? empty : null! };
        using var body = new MemoryStream();
        context.Response.Body = body;
        await new EventSourceResult(Events.Failing(new InvalidOperationException("broken"), "a")).ExecuteAsync(context).Soon();
        Assert.Equal("data: a\n\n", System.Text.Encoding.UTF8.GetString(body.ToArray()));

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => EventSourceResult.FromTopic("orders").ExecuteAsync(new DefaultHttpContext { RequestServices = withServices ? empty : null! }));
        Assert.Contains("AddSse()", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_apps_in_one_process_do_not_stop_each_others_streams()
    {
        var source = new HandSource();
        await using var lives = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)));
        var stops = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Silence())));
        using var stream = await lives.OpenAsync("/");
        using var ending = await stops.OpenAsync("/");
        Assert.NotSame(lives.Streams, stops.Streams);

        await stops.DisposeAsync();
        Assert.StartsWith("retry: ", await ending.ReadToEndAsync(), StringComparison.Ordinal);

        source.Emit("a");
        await stream.ExpectAsync("data: a\n\n");
    }

    [Fact]
    public async Task What_the_streams_of_an_app_share_goes_with_the_app()
    {
        var shared = await LiveAndDieAsync();
        await Waiting.Until(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !shared.IsAlive;
        });

        static async Task<WeakReference> LiveAndDieAsync()
        {
            await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Of("a"))));
            using var stream = await app.OpenAsync("/");
            await stream.ReadToEndAsync();
            return new WeakReference(app.Streams);
        }
    }

    [Fact]
    public void What_can_not_be_sent_is_refused_when_the_result_is_made()
    {
        Assert.Throws<ArgumentNullException>(() => new EventSourceResult((IAsyncEnumerable<SseEvent>)null!));
        Assert.Throws<ArgumentNullException>(() => EventSourceResult.From((IAsyncEnumerable<int>)null!));
        Assert.Throws<ArgumentException>(() => EventSourceResult.FromTopic(""));
        Assert.Contains("EventType", Assert.Throws<ArgumentException>(() => EventSourceResult.From(Events.Values([1]), "a\nb")).Message, StringComparison.Ordinal);
        Assert.Contains("EventSourceResult.From", Assert.Throws<ArgumentException>(() => new EventSourceResult<SseEvent>(Events.Of("a"))).Message, StringComparison.Ordinal);
        Assert.Contains("EventSourceResult.From", Assert.Throws<ArgumentException>(() => new EventSourceResult<SseItem<int>>(Events.Values([new SseItem<int>(1)]))).Message, StringComparison.Ordinal);
    }
}

public sealed record Point(int X, int Y);

[JsonSerializable(typeof(Point))]
internal sealed partial class PointContract : JsonSerializerContext;

[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Actions are instance methods.")]
[ApiController]
[Route("api")]
public class ApiFormsController : ControllerBase
{
    [HttpGet("result")]
    public EventSourceResult Result() => new(Events.Of("a", "b"));

    [HttpGet("task")]
    public Task<EventSourceResult> Later() => Task.FromResult(new EventSourceResult(Events.Of("a", "b")));

    [HttpGet("iresult")]
    public IResult AsResult() => new EventSourceResult(Events.Of("a", "b"));

    [HttpGet("iactionresult")]
    public IActionResult AsActionResult() => new EventSourceResult(Events.Of("a", "b"));

    [HttpGet("union")]
    public Results<EventSourceResult, NotFound> Union() => new EventSourceResult(Events.Of("a", "b"));

    [HttpGet("of")]
    public EventSourceResult<Point> Of() => EventSourceResult.From(Events.Values([new Point(1, 2)]));

    [HttpGet("missing")]
    public Results<EventSourceResult, NotFound> Missing() => TypedResults.NotFound();
}

[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Actions are instance methods.")]
[Route("plain")]
public class PlainFormsController : Controller
{
    [HttpGet("result")]
    public EventSourceResult Result() => new(Events.Of("a", "b"));

    [HttpGet("task")]
    public Task<EventSourceResult> Later() => Task.FromResult(new EventSourceResult(Events.Of("a", "b")));

    [HttpGet("iresult")]
    public IResult AsResult() => new EventSourceResult(Events.Of("a", "b"));

    [HttpGet("iactionresult")]
    public IActionResult AsActionResult() => new EventSourceResult(Events.Of("a", "b"));

    [HttpGet("of")]
    public EventSourceResult<Point> Of() => EventSourceResult.From(Events.Values([new Point(1, 2)]));
}
