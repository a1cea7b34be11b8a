using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.IO.Compression;
using System.Net;
using System.Threading.RateLimiting;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.HttpLogging;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.ResponseCaching;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using static SseKit.Tests.Streaming.Waiting;

namespace SseKit.Tests.Surroundings;

/// <summary>SseKit's streams behind what else an app has in its pipeline.</summary>
public class MiddlewareTests
{
    private const string HttpLogging = "Microsoft.AspNetCore.HttpLogging.HttpLoggingMiddleware";

    private static readonly Dictionary<string, (Action<IServiceCollection> Add, Action<WebApplication> Use)> Middlewares = new()
    {
        ["exception handler"] = (services => services.AddProblemDetails(), web => web.UseExceptionHandler()),
        ["developer exception page"] = (_ => { }, web => web.UseDeveloperExceptionPage()),
        ["status code pages"] = (_ => { }, web => web.UseStatusCodePages()),
        ["status code pages, executed again"] = (_ => { }, web => web.UseStatusCodePagesWithReExecute("/status")),
        ["http logging"] = (services => services.AddHttpLogging(logging => logging.LoggingFields = HttpLoggingFields.All), web => web.UseHttpLogging()),
        ["response compression"] = (services => services.AddResponseCompression(), web => web.UseResponseCompression()),
        ["response caching"] = (services => services.AddResponseCaching(), web => web.UseResponseCaching()),
        ["output cache"] = (services => services.AddOutputCache(cache => cache.AddBasePolicy(policy => policy.Cache())), web => web.UseOutputCache()),
        ["request timeouts"] = (
            services => services.AddRequestTimeouts(timeouts => timeouts.DefaultPolicy = new RequestTimeoutPolicy { Timeout = TimeSpan.FromMinutes(1) }),
            web => web.UseRequestTimeouts()),
        ["rate limiter"] = (services => services.AddRateLimiter(limiter => limiter.GlobalLimiter = OneAtATime()), web => web.UseRateLimiter()),
        ["cors"] = (
            services => services.AddCors(cors => cors.AddDefaultPolicy(policy => policy.WithOrigins("https://example.org").AllowCredentials())),
            web => web.UseCors()),
        ["session"] = (services => services.AddDistributedMemoryCache().AddSession(), web => web.UseSession()),
        ["authentication"] = (services => services.AddAuthorization().AddAuthentication("cookie").AddCookie("cookie"), web => web.UseAuthentication().UseAuthorization()),
        ["streams of others"] = (_ => { }, web => web.UseSse()),
    };

    public static MatrixTheoryData<string, string> EveryMiddleware => new(["1.1", "2.0"], [.. Middlewares.Keys, "all of them"]);

    [Theory]
    [MemberData(nameof(EveryMiddleware))]
    public async Task Behind_every_middleware_nothing_is_late_and_the_source_hears_that_its_client_left(string http, string behind)
    {
        var time = new FakeTimeProvider();
        var source = new HandSource();
        var used = behind == "all of them" ? [.. Middlewares.Values] : new[] { Middlewares[behind] };
        await using var app = await TestApp.StartAsync(
            web =>
            {
                Array.ForEach(used, middleware => middleware.Use(web));
                web.MapGet("/", () => new EventSourceResult(source));
            },
            http,
            services =>
            {
                // Not in the home of whoever runs the tests: the framework warns when it writes its first key there.
                services.AddDataProtection().AddKeyManagementOptions(keys => (keys.XmlRepository, keys.XmlEncryptor) = (new KeysInMemory(), new NullXmlEncryptor()));
                Array.ForEach(used, middleware => middleware.Add(services));
            },
            time);
        using (var stream = await app.OpenAsync("/", accept: "gzip"))
        {
            Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType!.ToString());
            await stream.ExpectEventsAndKeepAliveAsync(source, time);
        }

        await source.Cancelled.Soon();
        await source.Disposed.Soon();
        Assert.Empty(app.Log.OursAboveDebug);
        Assert.Empty(app.Log.Troubles);
    }

    [Theory]
    [InlineData("1.1", "gzip")]
    [InlineData("2.0", "gzip")]
    [InlineData("1.1", "br")]
    [InlineData("2.0", "br")]
    public async Task A_stream_that_the_app_compresses_is_smaller_and_nothing_in_it_is_late(string http, string encoding)
    {
        // At its fastest level, which is the default, Brotli looks back no further than to the last flush, and makes nothing of small events.
        var time = new FakeTimeProvider();
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseResponseCompression();
                web.MapGet("/", () => new EventSourceResult(source));
            },
            http,
            services => services
                .AddResponseCompression(compression => compression.MimeTypes = ["text/event-stream"])
                .Configure<BrotliCompressionProviderOptions>(brotli => brotli.Level = CompressionLevel.Optimal),
            time);
        using var response = (await app.OpenAsync("/", accept: encoding)).Response;
        Assert.Equal([encoding], response.Content.Headers.ContentEncoding);
        await using var sent = new CountedStream(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        await using Stream body = encoding == "gzip" ? new GZipStream(sent, CompressionMode.Decompress) : new BrotliStream(sent, CompressionMode.Decompress);
        using var stream = new ClientStream(response, body);

        var plain = 0;
        for (var number = 1; number <= 100; number++)
        {
            var text = $$"""{"order":{{number}},"customer":"customer {{number * 7919}}","state":"accepted","items":[{"sku":"{{number * 104729}}","count":1}]}""";
            await source.IsWaitedForAsync(times: number);
            source.Emit(text);
            await stream.ExpectAsync($"data: {text}\n\n");
            plain += text.Length + "data: \n\n".Length;
        }

        await source.IsWaitedForAsync(times: 101);
        await stream.ExpectKeepAliveAsync(time);
        source.End();
        await stream.ReadToEndAsync();
        Assert.InRange(sent.Count, 1, plain / 2);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task The_response_cache_does_not_store_a_stream_that_was_marked_for_it(string http)
    {
        var asked = 0;
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseResponseCaching();
                web.MapControllers();
                web.MapGet("/stream", (HttpContext context) =>
                {
                    context.Response.Headers.CacheControl = "public, max-age=600";
                    context.Features.Get<IResponseCachingFeature>()!.VaryByQueryKeys = ["q"];
                    return new EventSourceResult(Events.Of($"{Interlocked.Increment(ref asked)}"));
                });
                web.MapGet("/plain", (HttpContext context) =>
                {
                    context.Response.Headers.CacheControl = "public, max-age=600";
                    return $"{Interlocked.Increment(ref asked)}";
                });
            },
            http,
            services =>
            {
                services.AddResponseCaching();
                services.AddControllers().AddApplicationPart(typeof(MiddlewareTests).Assembly);
            });

        Assert.Equal(["data: 1\n\n", "data: 2\n\n"], await TwiceAsync("/stream"));
        Assert.Equal(["data: a\n\n", "data: a\n\n"], await TwiceAsync("/kept/stream"));
        Assert.Equal("no-cache, no-store, no-transform", (await app.OpenAsync("/kept/stream")).Response.Headers.NonValidated["Cache-Control"].ToString());

        // The cache does work here.
        Assert.Equal(["3", "3"], await TwiceAsync("/plain"));

        async Task<string[]> TwiceAsync(string path)
        {
            using var first = await app.OpenAsync(path);
            var text = await first.ReadToEndAsync();
            using var second = await app.OpenAsync(path);
            return [text, await second.ReadToEndAsync()];
        }
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Http_logging_of_bodies_logs_the_beginning_of_a_stream_once_it_has_ended(string http)
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseHttpLogging();
                web.MapGet("/", () => new EventSourceResult(source));
            },
            http,
            services => services.AddHttpLogging(logging =>
            {
                logging.LoggingFields = HttpLoggingFields.All;
                logging.ResponseBodyLogLimit = 22;
            }));
        using var stream = await app.OpenAsync("/");
        source.Emit("the first one");
        await stream.ExpectAsync("data: the first one\n\n");
        source.Emit("the second one");
        await stream.ExpectAsync("data: the second one\n\n");
        Assert.Empty(Bodies());

        source.End();
        await stream.ReadToEndAsync();

        await Until(() => Bodies().Any());
        var body = Assert.Single(Bodies());
        Assert.Contains("data: the first one", body.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("second", body.Message, StringComparison.Ordinal);

        IEnumerable<LogLine> Bodies() => app.Log.Of(HttpLogging).Where(line => line.Id.Name == "ResponseBody");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_status_code_page_is_for_a_topic_that_can_not_be_and_not_for_a_stream_without_events(bool again)
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                _ = again ? web.UseStatusCodePagesWithReExecute("/status") : web.UseStatusCodePages("text/plain", "page for {0}");
                web.MapGet("/status", () => "page for 404");
                web.MapSse("/topics/{name?}", context => context.GetRouteValue("name") as string);
                web.MapSse("/empty", _ => Events.Of());
            },
            services: services => services.AddSse());

        using var missing = await app.OpenAsync("/topics");
        Assert.Equal((HttpStatusCode.NotFound, "page for 404"), (missing.Status, await missing.ReadToEndAsync()));
        using var empty = await app.OpenAsync("/empty");
        Assert.Equal((HttpStatusCode.OK, ""), (empty.Status, await empty.ReadToEndAsync()));
        Assert.Equal("text/event-stream", empty.Response.Content.Headers.ContentType!.ToString());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task An_error_page_does_not_get_into_a_stream_that_fails_later(string http)
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseExceptionHandler(error => error.Run(context => context.Response.WriteAsync("error page")));
                web.UseStatusCodePages();
                web.MapGet("/", () => new EventSourceResult(source));
            },
            http);
        using var stream = await app.OpenAsync("/");
        await source.IsWaitedForAsync();

        source.Fail(new InvalidOperationException("broken"));

        Assert.Equal("", await stream.ReadToEndAsync());
        Assert.Equal("StreamFailed", Assert.Single(app.Log.Troubles).Id.Name);
    }

    [Fact]
    public async Task A_page_of_another_origin_may_bring_its_cookies_and_the_id_that_it_has_reached()
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseCors();
                web.MapSse("/", "orders").RequireCors(cors => cors.WithOrigins("https://example.org").WithHeaders("Last-Event-ID").AllowCredentials());
            },
            services: services => services.AddSse().Services.AddCors());
        var topics = app.Web.Services.GetRequiredService<ISseTopics>();
        var id = await topics.PublishAsync("orders", "1", TestContext.Current.CancellationToken);
        await topics.PublishAsync("orders", "2", TestContext.Current.CancellationToken);

        using var question = new HttpRequestMessage(HttpMethod.Options, "/");
        question.Headers.Add("Origin", "https://example.org");
        question.Headers.Add("Access-Control-Request-Method", "GET");
        question.Headers.Add("Access-Control-Request-Headers", "last-event-id");
        using var answer = await app.Client.SendAsync(question, TestContext.Current.CancellationToken).Soon();
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.Equal(["https://example.org"], answer.Headers.GetValues("Access-Control-Allow-Origin"));
        Assert.Equal(["true"], answer.Headers.GetValues("Access-Control-Allow-Credentials"));
        Assert.Contains("last-event-id", answer.Headers.GetValues("Access-Control-Allow-Headers").Single(), StringComparison.OrdinalIgnoreCase);

        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "Origin", "https://example.org" }, { "Last-Event-ID", id } } };
        using var response = await app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken).Soon();
        Assert.Equal(["https://example.org"], response.Headers.GetValues("Access-Control-Allow-Origin"));
        Assert.Equal(["true"], response.Headers.GetValues("Access-Control-Allow-Credentials"));
        using var stream = new ClientStream(response, await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        Assert.StartsWith("data: 2\n", await stream.ReadToAsync("\n\n"), StringComparison.Ordinal);
    }

    private static PartitionedRateLimiter<HttpContext> OneAtATime() => PartitionedRateLimiter.Create<HttpContext, string>(
        _ => RateLimitPartition.GetConcurrencyLimiter("all", _ => new ConcurrencyLimiterOptions { PermitLimit = 1 }));

    private sealed class KeysInMemory : IXmlRepository
    {
        private readonly ConcurrentQueue<XElement> _keys = [];

        public IReadOnlyCollection<XElement> GetAllElements() => _keys;

        public void StoreElement(XElement element, string friendlyName) => _keys.Enqueue(element);
    }

    /// <summary>Counts what is read from it.</summary>
    private sealed class CountedStream(Stream inner) : Stream
    {
        public int Count { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await inner.ReadAsync(buffer, cancellationToken);
            Count += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}

[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Actions are instance methods.")]
[Route("kept")]
public class KeptController : Controller
{
    [HttpGet("stream")]
    [ResponseCache(Duration = 600, Location = ResponseCacheLocation.Any)]
    public EventSourceResult Get() => new(Events.Of("a"));
}
