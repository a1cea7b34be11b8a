using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace SseKit.Tests.Streaming;

public class TopicFilterTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task One_broad_topic_serves_many_subjects_each_to_whom_it_is_for(string http)
    {
        await using var app = await TestApp.StartAsync(
            web => web.MapSse("/live", "everything", options => options.Filter = context =>
            {
                var subjects = context.Request.Query["of"].ToString().Split(',');
                return item => subjects.Contains(item.Key);
            }),
            http,
            services => services.AddSse(options => options.SendStartPosition = false));
        using var ones = await app.OpenAsync("/live?of=a,b");
        using var others = await app.OpenAsync("/live?of=b,c");
        var ids = new List<string>();
        foreach (var key in "abcabc")
        {
            ids.Add(await Topics(app).PublishAsync("everything", new SseEvent($"{key}") { Key = $"{key}" }, Stop));
        }

        foreach (var i in new[] { 0, 1, 3, 4 })
        {
            await ones.ExpectAsync($"data: {"abcabc"[i]}\nid: {ids[i]}\n\n");
        }

        foreach (var i in new[] { 1, 2, 4, 5 })
        {
            await others.ExpectAsync($"data: {"abcabc"[i]}\nid: {ids[i]}\n\n");
        }
    }

    [Fact]
    public async Task What_a_result_leaves_open_its_endpoint_s_filter_decides()
    {
        await using var app = await TestApp.StartInMemoryAsync(
            web => web.MapGet("/", () => EventSourceResult.FromTopic("orders", options => options.SendStartPosition = false))
                .WithMetadata(new SseStreamOptions { Filter = _ => item => item.Key == "me" }),
            services => services.AddSse());
        using var stream = await app.OpenAsync("/");
        await Topics(app).PublishAsync("orders", new SseEvent("1") { Key = "other" }, Stop);
        var id = await Topics(app).PublishAsync("orders", new SseEvent("2") { Key = "me" }, Stop);

        await stream.ExpectAsync($"data: 2\nid: {id}\n\n");
    }

    [Fact]
    public async Task A_filter_that_throws_ends_its_own_stream_after_a_last_event_and_is_logged_once()
    {
        var failure = new InvalidOperationException("broken");
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapSse("/broken", "orders", options =>
                {
                    options.Filter = _ => item => item.Key == "bad" ? throw failure : true;
                    options.OnError = (_, exception) => new SseEvent(exception.Message, "oops");
                });
                web.MapSse("/other", "orders", options => options.Filter = _ => item => item.Key != "bad");
            },
            services: services => services.AddSse(options => options.SendStartPosition = false));
        using var broken = await app.OpenAsync("/broken");
        using var other = await app.OpenAsync("/other");
        var first = await Topics(app).PublishAsync("orders", new SseEvent("1"), Stop);
        await broken.ExpectAsync($"data: 1\nid: {first}\n\n");
        await Topics(app).PublishAsync("orders", new SseEvent("2") { Key = "bad" }, Stop);
        var last = await Topics(app).PublishAsync("orders", new SseEvent("3"), Stop);

        Assert.Equal("event: oops\ndata: broken\n\n", await broken.ReadToEndAsync());
        await other.ExpectAsync($"data: 1\nid: {first}\n\n");
        await other.ExpectAsync($"data: 3\nid: {last}\n\n");
        var line = Assert.Single(app.Log.Troubles);
        Assert.Equal((LogLevel.Error, "StreamFailed"), (line.Level, line.Id.Name));
        Assert.Same(failure, line.Exception);
    }

    [Fact]
    public async Task A_filter_that_can_not_be_made_is_a_real_error_before_the_stream_begins()
    {
        await using var app = await TestApp.StartAsync(
            web => web.MapSse("/", "orders", options => options.Filter = _ => throw new InvalidOperationException("broken")),
            services: services => services.AddSse());
        using var stream = await app.OpenAsync("/");

        Assert.Equal(HttpStatusCode.InternalServerError, stream.Status);
        Assert.NotEqual("text/event-stream", stream.Response.Content.Headers.ContentType?.MediaType);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_silent_client_is_told_its_position_hears_what_is_not_kept_and_comes_back_to_there(string http)
    {
        await using var app = await TestApp.StartAsync(
            web => web.MapSse("/", "orders", options => options.Filter = _ => item => item.Key == "me"),
            http,
            services => services.AddSse(options =>
            {
                options.MaxEventsPerTopic = 3;
                options.SendCheckpoints = true;
                options.KeepAliveInterval = TimeSpan.FromMilliseconds(100);
            }));
        var position = "";
        using (var stream = await app.OpenAsync("/"))
        {
            for (var i = 0; i < 10; i++)
            {
                position = await Topics(app).PublishAsync("orders", new SseEvent("1") { Key = "other" }, Stop);
            }

            await stream.ReadToAsync($"id: {position}\n\n");
            await Topics(app).PublishEphemeralAsync("orders", new SseEvent("Bob", "typing") { Key = "other" }, Stop);
            await Topics(app).PublishEphemeralAsync("orders", new SseEvent("Ann", "typing") { Key = "me" }, Stop);
            Assert.Equal("event: typing\ndata: Ann\n\n", (await stream.ReadToAsync("Ann\n\n")).Replace(":\n", "", StringComparison.Ordinal));
        }

        await Topics(app).PublishAsync("orders", new SseEvent("1") { Key = "other" }, Stop);
        var mine = await Topics(app).PublishAsync("orders", new SseEvent("2") { Key = "me" }, Stop);
        using var back = await app.OpenAsync("/", position);
        Assert.Equal($"data: 2\nid: {mine}\n\n", (await back.ReadToAsync("\n\n")).Replace(":\n", "", StringComparison.Ordinal));
    }

    private static ISseTopics Topics(TestApp app) => app.Web.Services.GetRequiredService<ISseTopics>();
}
