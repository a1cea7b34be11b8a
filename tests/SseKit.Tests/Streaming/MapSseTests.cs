using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SseKit.Tests.Streaming;

public class MapSseTests
{
    [Fact]
    public async Task A_topic_a_computed_topic_and_a_source_can_be_mapped()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web =>
            {
                web.MapSse("/orders", "orders");
                web.MapSse("/orders/{id}", context => $"orders/{context.GetRouteValue("id")}");
                web.MapSse("/numbers", _ => Events.Of("1", "2"));
            },
            services => services.AddSse(o => o.SendStartPosition = false));
        var topics = app.Web.Services.GetRequiredService<ISseTopics>();
        using var all = await app.OpenAsync("/orders");
        using var one = await app.OpenAsync("/orders/7");

        var allId = await topics.PublishAsync("orders", "all", TestContext.Current.CancellationToken);
        var oneId = await topics.PublishAsync("orders/7", "one", TestContext.Current.CancellationToken);

        await all.ExpectAsync($"data: all\nid: {allId}\n\n");
        await one.ExpectAsync($"data: one\nid: {oneId}\n\n");
        using var numbers = await app.OpenAsync("/numbers");
        Assert.Equal("data: 1\n\ndata: 2\n\n", await numbers.ReadToEndAsync());
    }

    [Theory]
    [InlineData("/topic")]
    [InlineData("/source")]
    [InlineData("/result")]
    public async Task A_stream_makes_no_scope_of_services(string path)
    {
        var made = new TaskCompletionSource<IServiceProvidersFeature?>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.Use(async (context, next) =>
                {
                    await next(context);
                    made.SetResult(context.Features.Get<IServiceProvidersFeature>());
                });
                web.MapSse("/topic", "orders");
                web.MapSse("/source", _ => Events.Silence());
                web.MapGet("/result", () => new EventSourceResult(Events.Silence()));
            },
            services: services => services.AddSse());

        using (await app.OpenAsync(path))
        {
            Assert.False(made.Task.IsCompleted);
        }

        Assert.Null(await made.Task.Soon());
    }

    [Theory]
    [InlineData("/source")]
    [InlineData("/result")]
    public async Task Services_that_somebody_put_into_the_request_count(string path)
    {
        await using var theirs = new ServiceCollection().AddSse(options =>
        {
            options.ReconnectDelay = TimeSpan.FromMinutes(1);
            options.ReconnectionInterval = TimeSpan.FromSeconds(7);
        }).Services.BuildServiceProvider();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.Use((context, next) =>
                {
                    context.RequestServices = theirs;
                    return next(context);
                });
                web.MapSse("/source", _ => Events.Of("a"));
                web.MapGet("/result", () => new EventSourceResult(Events.Of("a")));
            },
            services: services => services.AddSse());

        using var stream = await app.OpenAsync(path);

        Assert.Equal("retry: 7000\ndata: a\n\n", await stream.ReadToEndAsync());
    }

    [Fact]
    public async Task A_computed_topic_that_can_not_be_is_not_found()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web => web.MapSse("/", context => context.Request.Query["name"].ToString() is "null" ? null : context.Request.Query["name"].ToString()),
            services => services.AddSse());
        foreach (var name in new[] { "null", "", "a%00b", "a%0Ab", new string('a', 257), string.Concat(Enumerable.Repeat("%F0%9F%98%80", 65)) })
        {
            var before = app.Log.Ours.Count();
            using var response = await app.OpenAsync($"/?name={name}");
            Assert.Equal(HttpStatusCode.NotFound, response.Status);
            Assert.Equal("", await response.ReadToEndAsync());
            Assert.False(response.Response.Headers.Contains("X-Accel-Buffering"));
            Assert.Equal((LogLevel.Debug, "NoTopic"), app.Log.Ours.Skip(before).Select(line => (line.Level, line.Id.Name)).Single());
        }

        using var good = await app.OpenAsync($"/?name={new string('a', 256)}");
        Assert.Equal(HttpStatusCode.OK, good.Status);
    }

    [Fact]
    public void Without_AddSse_a_topic_can_not_be_mapped_and_the_message_says_what_to_call()
    {
        var web = TestApp.BuildOnly();
        var fixedTopic = Assert.Throws<InvalidOperationException>(() => web.MapSse("/orders/live", "orders"));
        Assert.Contains("MapSse(\"/orders/live\"", fixedTopic.Message, StringComparison.Ordinal);
        Assert.Contains("builder.Services.AddSse()", fixedTopic.Message, StringComparison.Ordinal);
        Assert.Contains("AddSse()", Assert.Throws<InvalidOperationException>(() => web.MapSse("/x", _ => (string?)"orders")).Message, StringComparison.Ordinal);
        web.MapSse("/source", _ => Events.Of("a"));
    }

    [Fact]
    public async Task Without_AddSse_a_topic_as_a_result_fails_and_the_message_says_what_to_call()
    {
        Exception? failure = null;
        await using var app = await TestApp.StartInMemoryAsync(web =>
        {
            web.Use(async (context, next) =>
            {
                try
                {
                    await next(context);
                }
                catch (InvalidOperationException exception)
                {
                    failure = exception;
                    context.Response.StatusCode = 500;
                }
            });
            web.MapGet("/", () => EventSourceResult.FromTopic("orders"));
        });
        using var response = await app.OpenAsync("/");
        Assert.Equal(HttpStatusCode.InternalServerError, response.Status);
        Assert.Contains("EventSourceResult.FromTopic", failure!.Message, StringComparison.Ordinal);
        Assert.Contains("builder.Services.AddSse()", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Authorization_works_as_on_any_endpoint()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web =>
            {
                web.UseAuthentication();
                web.UseAuthorization();
                web.MapSse("/", _ => Events.Of("secret")).RequireAuthorization();
            },
            services =>
            {
                services.AddAuthentication("name").AddScheme<AuthenticationSchemeOptions, ByName>("name", null);
                services.AddAuthorization();
            });
        using var stranger = await app.OpenAsync("/");
        Assert.Equal(HttpStatusCode.Unauthorized, stranger.Status);
        using var friend = await app.OpenAsync("/?name=friend");
        Assert.Equal("data: secret\n\n", await friend.ReadToEndAsync());
    }

    [Fact]
    public async Task Cors_works_as_on_any_endpoint()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web =>
            {
                web.UseCors();
                web.MapSse("/", _ => Events.Of("a")).RequireCors(cors => cors.WithOrigins("https://example.org"));
            },
            services => services.AddCors());
        foreach (var (origin, allowed) in new[] { ("https://example.org", true), ("https://example.com", false) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Headers = { { "Origin", origin } } };
            using var response = await app.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(allowed, response.Headers.Contains("Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task Rate_limits_work_as_on_any_endpoint()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web =>
            {
                web.UseRateLimiter();
                web.MapSse("/", _ => Events.Silence()).RequireRateLimiting("one");
            },
            services => services.AddRateLimiter(limits => limits.AddConcurrencyLimiter("one", one => one.PermitLimit = 1)));
        using var first = await app.OpenAsync("/");
        Assert.Equal(HttpStatusCode.OK, first.Status);
        using var second = await app.OpenAsync("/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, second.Status);
    }

    [Fact]
    public async Task Names_tags_and_groups_work_as_on_any_endpoint()
    {
        await using var app = await TestApp.StartInMemoryAsync(web =>
        {
            var group = web.MapGroup("/live").WithTags("group");
            group.MapSse("/{id}", _ => Events.Of("a")).WithName("live").WithTags("mine").WithSummary("Orders as they come");
        });
        var endpoint = app.Web.Services.GetRequiredService<EndpointDataSource>().Endpoints
            .Single(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Contains("GET"));
        Assert.Equal("live", endpoint.Metadata.GetMetadata<IEndpointNameMetadata>()!.EndpointName);
        Assert.Contains("mine", endpoint.Metadata.GetOrderedMetadata<ITagsMetadata>().SelectMany(tags => tags.Tags));
        Assert.Equal("Orders as they come", endpoint.Metadata.GetMetadata<IEndpointSummaryMetadata>()!.Summary);
        Assert.Equal("/live/7", app.Web.Services.GetRequiredService<LinkGenerator>().GetPathByName("live", new { id = 7 }));
        using var stream = await app.OpenAsync("/live/7");
        Assert.Equal("data: a\n\n", await stream.ReadToEndAsync());
    }

    [Fact]
    public async Task Only_GET_and_HEAD_are_mapped()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapSse("/", _ => Events.Of("a")));
        using var response = await app.Client.PostAsync(new Uri("/", UriKind.Relative), null, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(["GET", "HEAD"], response.Content.Headers.Allow.Order());
    }

    private sealed class ByName(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(
            Request.Query["name"].ToString() is { Length: > 0 } name
                ? AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(new ClaimsIdentity([new Claim("name", name)], "name")), "name"))
                : AuthenticateResult.NoResult());
    }
}
