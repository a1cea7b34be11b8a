using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace SseKit.Tests.Streaming;

public class FirstWaitTests
{
    private static readonly Dictionary<string, Func<EventSourceResult>> Failing = new()
    {
        ["a source that throws at once"] = () => new(Events.Failing(new InvalidOperationException("broken"))),
        ["a function that throws instead of giving a source"] = () => new((_, _) => throw new InvalidOperationException("broken")),
        ["a first event that is no JSON"] = () => new(Events.Values([SseEvent.Json(new Unwritable())])),
        ["a first value that is no JSON"] = () => EventSourceResult.From(Events.Values([new Unwritable()])),
    };

    public static TheoryData<string, string> FailingForms
    {
        get
        {
            var forms = new TheoryData<string, string>();
            foreach (var form in Failing.Keys)
            {
                forms.Add(form, "1.1");
                forms.Add(form, "2.0");
            }

            return forms;
        }
    }

    [Theory]
    [InlineData("1.1", false)]
    [InlineData("2.0", false)]
    [InlineData("1.1", true)]
    [InlineData("2.0", true)]
    public async Task The_client_is_connected_before_the_first_event(string http, bool compressed)
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                if (compressed)
                {
                    web.UseResponseCompression();
                }

                web.MapGet("/", () => new EventSourceResult(source, o => o.KeepAliveInterval = Timeout.InfiniteTimeSpan));
            },
            http,
            services => services.AddResponseCompression(o => o.MimeTypes = [compressed ? "text/event-stream" : "text/plain"]));

        // Without a keep-alive nothing but the headers themselves can make this complete.
        using var stream = await app.OpenAsync("/", accept: compressed ? "gzip" : null);
        Assert.Equal(HttpStatusCode.OK, stream.Status);
        Assert.Equal(compressed ? "gzip" : "identity", stream.Response.Content.Headers.ContentEncoding.Single());
    }

    [Theory]
    [MemberData(nameof(FailingForms))]
    public async Task A_source_that_fails_before_it_begins_gets_the_apps_own_error_page(string form, string http)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseExceptionHandler(error => error.Run(context =>
                {
                    context.Response.ContentType = "text/x-sorry";
                    return context.Response.WriteAsync("sorry");
                }));
                web.MapGet("/", () => Failing[form]());
            },
            http);

        using var response = await app.OpenAsync("/");

        Assert.Equal(HttpStatusCode.InternalServerError, response.Status);
        Assert.Equal("sorry", await response.ReadToEndAsync());
        Assert.Equal("text/x-sorry", response.Response.Content.Headers.ContentType!.ToString());
        Assert.Empty(response.Response.Content.Headers.ContentEncoding);
        Assert.False(response.Response.Headers.Contains("X-Accel-Buffering"));
        Assert.DoesNotContain("no-transform", response.Response.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        Assert.Empty(app.Log.Ours);
    }

    [Fact]
    public async Task The_developer_exception_page_comes_through_whole()
    {
        await using var app = await TestApp.StartAsync(web =>
        {
            web.UseDeveloperExceptionPage();
            web.MapGet("/", () => new EventSourceResult(Events.Failing(new InvalidOperationException("broken into pieces"))));
        });

        using var response = await app.OpenAsync("/");

        Assert.Equal(HttpStatusCode.InternalServerError, response.Status);
        Assert.StartsWith("System.InvalidOperationException: broken into pieces", await response.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal("text/plain", response.Response.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task Without_any_error_page_it_is_a_bare_500()
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(Events.Failing(new InvalidOperationException("broken")))));
        using var response = await app.OpenAsync("/");
        Assert.Equal(HttpStatusCode.InternalServerError, response.Status);
        Assert.Equal("", await response.ReadToEndAsync());
    }

    [Theory]
    [MemberData(nameof(FailingForms))]
    public async Task A_client_that_has_been_here_before_is_told_to_come_back(string form, string http)
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => Failing[form]()), http);
        await ExpectComeBackAsync(app, "/", lastEventId: "7");
        await ExpectComeBackAsync(app, "/?lastEventId=7", lastEventId: null);
        Assert.Equal(2, app.Log.Troubles.Count());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_failing_store_tells_even_a_new_client_to_come_back(string http)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapSse("/mapped", "orders");
                web.MapGet("/result", () => EventSourceResult.FromTopic("orders"));
            },
            http,
            services =>
            {
                services.AddSingleton<ISseBacklog, BrokenStore>();
                services.AddSse();
            });
        await ExpectComeBackAsync(app, "/mapped", lastEventId: null);
        await ExpectComeBackAsync(app, "/result", lastEventId: null);
        await ExpectComeBackAsync(app, "/result", lastEventId: "abc");
        Assert.Equal(3, app.Log.Troubles.Count());
    }

    [Fact]
    public async Task A_source_that_fails_after_its_first_wait_ends_its_stream()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)));
        using var stream = await app.OpenAsync("/");

        source.Emit(SseEvent.Json(new Unwritable()));

        Assert.Equal("", await stream.ReadToEndAsync());
        await source.Disposed.Soon();
        Assert.Equal("StreamFailed", Assert.Single(app.Log.Troubles).Id.Name);
    }

    [Fact]
    public async Task How_long_to_stay_away_is_drawn_between_the_interval_and_twice_it()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web => web.MapGet("/", () => Failing.Values.First()()),
            services => services.AddSse(o => o.ReconnectionInterval = TimeSpan.FromSeconds(100)));
        var drawn = new HashSet<string>();
        for (var time = 0; time < 20; time++)
        {
            using var response = await app.OpenAsync("/", lastEventId: "7");
            var text = await response.ReadToEndAsync();
            Assert.InRange(RetryOf(text), 100_000, 200_000);
            drawn.Add(text);
        }

        Assert.True(drawn.Count > 10, string.Join(' ', drawn));
    }

    private static async Task ExpectComeBackAsync(TestApp app, string path, string? lastEventId)
    {
        var before = app.Log.OursAboveDebug.Count();
        using var response = await app.OpenAsync(path, lastEventId);

        Assert.Equal(HttpStatusCode.OK, response.Status);
        Assert.Equal("text/event-stream", response.Response.Content.Headers.ContentType!.ToString());
        Assert.InRange(RetryOf(await response.ReadToEndAsync()), 3000, 6000);
        var line = Assert.Single(app.Log.OursAboveDebug.Skip(before));
        Assert.Equal((LogLevel.Error, "StreamFailed"), (line.Level, line.Id.Name));
    }

    private static int RetryOf(string stream)
    {
        Assert.Matches(new Regex("^retry: [0-9]+\n$"), stream);
        return int.Parse(stream["retry: ".Length..^1], CultureInfo.InvariantCulture);
    }

    private sealed class Unwritable
    {
        public int Before { get; } = 1;

        public int Value => throw new InvalidOperationException($"can't be read after {Before}");
    }

    private sealed class BrokenStore : ISseBacklog
    {
        public ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) => throw new IOException("no store");

        public ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken) => throw new IOException("no store");

        public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken) => throw new IOException("no store");
    }
}
