using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Streaming;

/// <summary>What an app may have done to a response before, or may do wrong, and what it is told.</summary>
public sealed class OddResultTests
{
    [Fact]
    public async Task A_status_or_a_length_that_was_set_before_does_not_spoil_the_stream()
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", (HttpContext context) =>
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            context.Response.ContentLength = 3;
            return new EventSourceResult(Events.Of("a", "b"));
        }));

        using var stream = await app.OpenAsync("/");

        Assert.Equal(HttpStatusCode.OK, stream.Status);
        Assert.Equal("data: a\n\ndata: b\n\n", await stream.ReadToEndAsync());
    }

    [Fact]
    public async Task A_source_that_is_null_is_named()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => new EventSourceResult((_, _) => null!)));

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => app.OpenAsync("/"));

        Assert.StartsWith("The source of an event stream is null.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_snapshot_that_is_null_is_named()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web => web.MapSse("/", "orders", options => (options.Start, options.Snapshot) = (SseStart.Snapshot, (_, _) => null!)),
            services => services.AddSse());

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => app.OpenAsync("/"));

        Assert.StartsWith("The snapshot of topic 'orders' is null.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_that_can_t_work_are_named_without_a_registration_too()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web => web.MapGet("/", () => new EventSourceResult(Events.Of("a"))),
            services => services.Configure<SseOptions>(options => options.KeepAliveInterval = TimeSpan.Zero));

        var error = await Assert.ThrowsAnyAsync<Exception>(() => app.OpenAsync("/"));

        Assert.Contains("SseOptions.KeepAliveInterval is 00:00:00", error.Message, StringComparison.Ordinal);
    }
}
