using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Streaming;

public class LastEventIdTests
{
    private const string Gap = "event: gap\ndata: {\"reason\":\"";
    private const string Position = "id: ";

    /// <summary>Lines of a request head, which may hold anything that Kestrel lets through.</summary>
    public static TheoryData<string, string> NastyRequests => new()
    {
        { "garbage", "Last-Event-ID: <script>alert(1)</script>\r\n" },
        { "an id of nobody", "Last-Event-ID: 7\r\n" },
        { "empty", "Last-Event-ID: \r\n" },
        { "blank", "Last-Event-ID:    \t \r\n" },
        { "two headers", "Last-Event-ID: a\r\nLast-Event-ID: b\r\n" },
        { "two headers, one of them empty", "Last-Event-ID: a\r\nLast-Event-ID: \r\n" },
        { "two empty headers", "Last-Event-ID: \r\nLast-Event-ID: \r\n" },
        { "a list", "Last-Event-ID: a,b,c\r\n" },
        { "65 characters", $"Last-Event-ID: {new string('a', 65)}\r\n" },
        { "20 KB", $"Last-Event-ID: {new string('a', 20_000)}\r\n" },
        { "UTF-8", "Last-Event-ID: \u00c3\u00a9\u00e2\u0082\u00ac\u00f0\u009f\u0098\u0080\r\n" },
        { "a format string", "Last-Event-ID: {0}%s%n%x{{}}\r\n" },
        { "JSON", "Last-Event-ID: \"},{\"reason\":\"none\"\r\n" },
        { "a path", "Last-Event-ID: ../../../etc/passwd\r\n" },
        { "minus one", "Last-Event-ID: -1\r\n" },
        { "a huge number", "Last-Event-ID: 99999999999999999999999999999999\r\n" },
        { "dots", "Last-Event-ID: ....\r\n" },
        { "spaces inside", "Last-Event-ID: a b\tc\r\n" },
        { "another case", "LAST-EVENT-ID: x\r\n" },
    };

    public static TheoryData<string> NastyQueries =>
    [
        "?lastEventId=", "?lastEventId", "?lastEventId=%00", "?lastEventId=%0d%0aevil:%201", "?lastEventId=%ff%fe", "?lastEventId=a&lastEventId=b",
        "?LASTEVENTID=a", "?lastEventId=%F0%9F%98%80", "?lastEventId=%", "?lastEventId=%zz", "?lastEventId=+", "?lastEventId=" + new string('a', 4000),
    ];

    [Fact]
    public void The_header_is_read_and_beats_the_query()
    {
        Assert.Equal("h", Read(["h"]));
        Assert.Equal("q", Read([], "?lastEventId=q"));
        Assert.Equal("h", Read(["h"], "?lastEventId=q"));
        Assert.Null(Read([]));
        Assert.Null(Read([], "?other=q"));
    }

    [Fact]
    public void An_empty_header_gives_way_to_the_query_and_nothing_is_null()
    {
        Assert.Equal("q", Read([""], "?lastEventId=q"));
        Assert.Null(Read([""]));
        Assert.Null(Read([""], "?lastEventId="));
        Assert.Null(Read([], "?lastEventId="));
    }

    [Fact]
    public void Several_headers_are_joined_to_what_is_no_id()
    {
        Assert.Equal("a,b", Read(["a", "b"]));
        Assert.Equal(",", Read(["", ""], "?lastEventId=q"));
        Assert.Equal("a,b", Read(["a", "b"], "?lastEventId=q"));
        Assert.Equal("a,b", Read([], "?lastEventId=a&lastEventId=b"));
        Assert.Equal("%,\u20ac", Read(["%", "\u20ac"]));
    }

    [Theory]
    [MemberData(nameof(NastyRequests))]
    public async Task Whatever_the_header_holds_a_topic_answers_and_goes_on(string what, string headers)
    {
        await using var app = await StartAsync();
        await ExpectAnAnswerAsync(app, "/topic", headers, what is "empty" or "blank" ? Position : Gap);
        await ExpectAnAnswerAsync(app, "/source", headers, "data: ");
    }

    [Theory]
    [MemberData(nameof(NastyQueries))]
    public async Task Whatever_the_query_holds_a_topic_answers_and_goes_on(string query)
    {
        await using var app = await StartAsync();
        await ExpectAnAnswerAsync(app, "/topic" + query, "", query is "?lastEventId=" or "?lastEventId" ? Position : Gap);
        await ExpectAnAnswerAsync(app, "/source" + query, "", "data: ");
    }

    [Fact]
    public async Task Several_headers_are_a_malformed_gap()
    {
        await using var app = await StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.GetAsync("/topic", "Last-Event-ID: a\r\nLast-Event-ID: b\r\n");
        Assert.Contains("event: gap\ndata: {\"reason\":\"malformed\"}\nid: ", await client.ReadToAsync("\n\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_source_that_resumes_by_itself_is_given_the_id()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapGet("/", () => new EventSourceResult((id, _) => Events.Of(id ?? "nothing"))));
        foreach (var (path, header, expected) in new[] { ("/", null, "nothing"), ("/", "7", "7"), ("/?lastEventId=8", null, "8"), ("/?lastEventId=8", "7", "7") })
        {
            using var stream = await app.OpenAsync(path, header);
            Assert.Equal($"data: {expected}\n\n", await stream.ReadToEndAsync());
        }
    }

    private static string? Read(string[] headers, string query = "")
    {
        var context = new DefaultHttpContext();
        if (headers.Length > 0)
        {
            context.Request.Headers["Last-Event-ID"] = headers;
        }

        context.Request.QueryString = new QueryString(query);
        return context.Request.GetLastEventId();
    }

    private static Task<TestApp> StartAsync() => TestApp.StartAsync(
        web =>
        {
            web.MapSse("/topic", "orders");
            web.MapSse("/source", context =>
            {
                // Nothing of the id may break the stream that an app builds with it.
                return Events.Of(context.Request.GetLastEventId() ?? "nothing");
            });
        },
        services: services => services.AddSse());

    /// <summary>A 200, whose stream begins as given and then, on a topic, goes on.</summary>
    private static async Task ExpectAnAnswerAsync(TestApp app, string path, string headers, string begins)
    {
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.GetAsync(path, headers);
        var head = await client.ReadToAsync("\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", head, StringComparison.Ordinal);
        Assert.Contains("Content-Type: text/event-stream\r\n", head, StringComparison.Ordinal);
        Assert.Contains("\r\n" + begins, await client.ReadToAsync("\n\n"), StringComparison.Ordinal);
        if (begins is Position or Gap)
        {
            var id = await app.Web.Services.GetRequiredService<ISseTopics>().PublishAsync("orders", "next");
            Assert.EndsWith($"data: next\nid: {id}\n\n", await client.ReadToAsync("\n\n"), StringComparison.Ordinal);
        }

        Assert.Empty(app.Log.Troubles);
    }
}
