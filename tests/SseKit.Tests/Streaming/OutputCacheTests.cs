using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace SseKit.Tests.Streaming;

public class OutputCacheTests
{
    private static readonly Dictionary<string, Action<WebApplication>> Declared = new()
    {
        ["a topic"] = web => web.MapSse("/a", "orders").AddEndpointFilter<RouteHandlerBuilder, EndAtOnce>(),
        ["a source"] = web => web.MapSse("/a", _ => Events.Of("a")),
        ["a source, CacheOutput after it"] = web => web.MapSse("/a", _ => Events.Of("a")).CacheOutput(),
        ["a source, CacheOutput with a policy after it"] = web => web.MapSse("/a", _ => Events.Of("a")).CacheOutput(policy => policy.Expire(TimeSpan.FromHours(1))),
        ["a source, the attribute after it"] = web => web.MapSse("/a", _ => Events.Of("a")).WithMetadata(new OutputCacheAttribute { Duration = 3600 }),
        ["a source in a group with CacheOutput"] = web => web.MapGroup("").CacheOutput().MapSse("/a", _ => Events.Of("a")),
        ["EventSourceResult"] = web => web.MapGet("/a", () => new EventSourceResult(Events.Of("a"))),
        ["Task<EventSourceResult>"] = web => web.MapGet("/a", () => Task.FromResult(new EventSourceResult(Events.Of("a")))),
        ["ValueTask<EventSourceResult>"] = web => web.MapGet("/a", () => ValueTask.FromResult(new EventSourceResult(Events.Of("a")))),
        ["Results<EventSourceResult, NotFound>"] = web => web.MapGet("/a", Results<EventSourceResult, NotFound> () => new EventSourceResult(Events.Of("a"))),
        ["Task<Results<NotFound, EventSourceResult<int>>>"] = web => web.MapGet(
            "/a", async Task<Results<NotFound, EventSourceResult<int>>> () => await Task.FromResult(EventSourceResult.From(Events.Values([1])))),
        ["EventSourceResult with CacheOutput and a policy"] = web =>
            web.MapGet("/a", () => new EventSourceResult(Events.Of("a"))).CacheOutput(policy => policy.AddPolicy<StoreAll>(), excludeDefaultPolicy: true),
        ["EventSourceResult<T>"] = web => web.MapGet("/a", () => EventSourceResult.From(Events.Values([1]))),
    };

    private static readonly Dictionary<string, Action<WebApplication>> Undeclared = new()
    {
        ["IResult"] = web => web.MapGet("/a", IResult () => new EventSourceResult(Events.Of("a"))),
        ["IResult with CacheOutput"] = web => web.MapGet("/a", IResult () => new EventSourceResult(Events.Of("a"))).CacheOutput(),
    };

    private static readonly string[] ActionsThatSayIt = ["/cached/result", "/cached/task", "/cached/value", "/cached/numbers"];

    public static TheoryData<string> DeclaredForms => [.. Declared.Keys];

    public static TheoryData<string> UndeclaredForms => [.. Undeclared.Keys];

    public static TheoryData<string> ActionForms => [.. ActionsThatSayIt];

    [Theory]
    [MemberData(nameof(DeclaredForms))]
    public Task The_output_cache_stays_off_an_endpoint_that_says_what_it_is(string form) => NothingIsStoredAsync("/a", Declared[form], warnings: 0);

    [Theory]
    [MemberData(nameof(ActionForms))]
    public Task The_output_cache_stays_off_an_action_that_says_what_it_is(string path) => NothingIsStoredAsync(path, web => web.MapControllers(), warnings: 0);

    [Theory]
    [MemberData(nameof(UndeclaredForms))]
    public Task Where_the_cache_was_not_kept_off_it_is_refused_with_a_warning_that_names_the_cure(string form) => NothingIsStoredAsync("/a", Undeclared[form], warnings: 2);

    [Fact]
    public Task An_action_that_hides_what_it_is_is_refused_with_a_warning() => NothingIsStoredAsync("/cached/hidden", web => web.MapControllers(), warnings: 2);

    /// <summary>Asks twice; the app caches everything that does not forbid it.</summary>
    private static async Task NothingIsStoredAsync(string path, Action<WebApplication> map, int warnings)
    {
        var store = new Store();
        await using var app = await TestApp.StartInMemoryAsync(
            web =>
            {
                web.UseOutputCache();
                map(web);
                web.MapGet("/plain", () => "plain");
            },
            services =>
            {
                services.AddSse();
                services.AddControllers().AddApplicationPart(typeof(OutputCacheTests).Assembly);
                services.AddSingleton<IOutputCacheStore>(store);
                services.AddOutputCache(cache => cache.AddBasePolicy(policy => policy.Cache()));
            });

        for (var time = 0; time < 2; time++)
        {
            using var response = await app.OpenAsync(path);
            Assert.Equal("text/event-stream", response.Response.Content.Headers.ContentType!.ToString());
            Assert.NotEqual("", await response.ReadToEndAsync());
        }

        Assert.Empty(store.Stored);
        Assert.Equal(warnings, app.Log.OursAboveDebug.Count());
        Assert.All(app.Log.OursAboveDebug, line =>
        {
            Assert.Equal((LogLevel.Warning, "OutputCacheRefused"), (line.Level, line.Id.Name));
            Assert.Contains("declare the endpoint's return type as EventSourceResult, or remove CacheOutput", line.Message, StringComparison.Ordinal);
        });

        // The cache does work here.
        using var plain = await app.OpenAsync("/plain");
        await plain.ReadToEndAsync();
        await Waiting.Until(() => store.Stored.Count == 1);
    }

    /// <summary>Stands in for the stream of a topic, which would not end.</summary>
    private sealed class EndAtOnce : IEndpointFilter
    {
        public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
            ValueTask.FromResult<object?>(new EventSourceResult(Events.Of("a")));
    }

    private sealed class StoreAll : IOutputCachePolicy
    {
        public ValueTask CacheRequestAsync(OutputCacheContext context, CancellationToken cancellation)
        {
            context.EnableOutputCaching = context.AllowCacheLookup = context.AllowCacheStorage = true;
            context.ResponseExpirationTimeSpan = TimeSpan.FromHours(1);
            return default;
        }

        public ValueTask ServeFromCacheAsync(OutputCacheContext context, CancellationToken cancellation) => default;

        public ValueTask ServeResponseAsync(OutputCacheContext context, CancellationToken cancellation) => default;
    }

    private sealed class Store : IOutputCacheStore
    {
        public ConcurrentDictionary<string, byte[]> Stored { get; } = new();

        public ValueTask EvictByTagAsync(string tag, CancellationToken cancellationToken) => default;

        public ValueTask<byte[]?> GetAsync(string key, CancellationToken cancellationToken) => ValueTask.FromResult(Stored.GetValueOrDefault(key));

        public ValueTask SetAsync(string key, byte[] value, string[]? tags, TimeSpan validFor, CancellationToken cancellationToken)
        {
            Stored[key] = value;
            return default;
        }
    }
}

[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Actions are instance methods.")]
[Route("cached")]
public class CachedController : Controller
{
    [HttpGet("result")]
    public EventSourceResult Result() => new(Events.Of("a"));

    [HttpGet("task")]
    public Task<EventSourceResult> Later() => Task.FromResult(new EventSourceResult(Events.Of("a")));

    [HttpGet("value")]
    public ValueTask<EventSourceResult> LaterValue() => ValueTask.FromResult(new EventSourceResult(Events.Of("a")));

    [HttpGet("numbers")]
    public EventSourceResult<int> Numbers() => EventSourceResult.From(Events.Values([1]));

    [HttpGet("hidden")]
    public IActionResult Hidden() => new EventSourceResult(Events.Of("a"));
}
