using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Tests.Repository;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Guide;

/// <summary>The programs of the guide, each compiled as it is printed, and used.</summary>
public sealed partial class GuideTests : IDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, ResponseDrainTimeout = TimeSpan.Zero });

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task Cookies_open_a_users_own_stream_and_a_logout_ends_it_with_a_word()
    {
        await using var program = await StartAsync("authentication.md", "cookies");
        using (var stranger = await OpenAsync("/me/live"))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, stranger.Status);
        }

        await PostAsync("/login/ann");
        using var stream = await OpenAsync("/me/live");
        await stream.ReadToAsync("\n\n");
        await PostAsync("/users/ben/notes?text=for-ben");
        await PostAsync("/users/ann/notes?text=for-ann");
        Assert.StartsWith("data: for-ann\n", await stream.ReadToAsync("\n\n"), StringComparison.Ordinal);

        await PostAsync("/logout");
        Assert.Equal("event: logout\ndata: Goodbye.\n\n", await stream.ReadToEndAsync());
    }

    [Fact]
    public async Task A_ticket_opens_streams_and_nothing_else()
    {
        await using var program = await StartAsync("authentication.md", "tickets");
        var token = await TokenAsync(await PostAsync("/login/ann"));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/ticket") { Headers = { { "Authorization", $"Bearer {token}" } } };
        using var answer = await _client.SendAsync(request, Stop);
        var ticket = await TokenAsync(answer);

        foreach (var wrong in new[] { "", token, "made-up" })
        {
            using var refused = await OpenAsync($"/me/live?ticket={wrong}");
            Assert.Equal(HttpStatusCode.Unauthorized, refused.Status);
        }

        using var misused = new HttpRequestMessage(HttpMethod.Post, "/ticket") { Headers = { { "Authorization", $"Bearer {ticket}" } } };
        using var refusal = await _client.SendAsync(misused, Stop);
        Assert.Equal(HttpStatusCode.Unauthorized, refusal.StatusCode);

        var topics = program.Services.GetRequiredService<ISseTopics>();
        var first = await topics.PublishAsync("users/ann", "1", Stop);
        await topics.PublishAsync("users/ann", "2", Stop);
        using var stream = await OpenAsync($"/me/live?ticket={Uri.EscapeDataString(ticket)}&lastEventId={first}");
        Assert.StartsWith("data: 2\n", await stream.ReadToAsync("\n\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_named_origin_may_bring_cookies_and_its_last_id_and_another_may_not()
    {
        await using var program = await StartAsync("cors.md", "CORS");
        foreach (var (origin, allowed) in new[] { ("https://app.example.org", true), ("https://example.com", false) })
        {
            using var question = new HttpRequestMessage(HttpMethod.Options, "/orders/live")
            {
                Headers = { { "Origin", origin }, { "Access-Control-Request-Method", "GET" }, { "Access-Control-Request-Headers", "last-event-id" } },
            };
            using var answer = await _client.SendAsync(question, Stop);
            Assert.Equal(allowed, answer.Headers.Contains("Access-Control-Allow-Headers"));

            using var request = new HttpRequestMessage(HttpMethod.Get, "/orders/live") { Headers = { { "Origin", origin } } };
            using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
            Assert.Equal(allowed, response.Headers.Contains("Access-Control-Allow-Origin"));
            Assert.Equal(allowed, response.Headers.Contains("Access-Control-Allow-Credentials"));
        }
    }

    [Fact]
    public async Task One_stream_carries_the_subjects_that_were_asked_for()
    {
        await using var program = await StartAsync("http2.md", "subjects");
        using var stream = await OpenAsync("/live?subject=orders&subject=stock");
        await stream.ReadToAsync("\n\n");

        foreach (var subject in new[] { "orders", "weather", "stock" })
        {
            await PostAsync($"/{subject}?text=news");
        }

        Assert.StartsWith("event: orders\ndata: news\n", await stream.ReadToAsync("\n\n"), StringComparison.Ordinal);
        Assert.StartsWith("event: stock\ndata: news\n", await stream.ReadToAsync("\n\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_that_is_compressed_shows_its_position_at_once()
    {
        await using var program = await StartAsync("middleware.md", "compression");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/orders/live") { Headers = { { "Accept-Encoding", "br, gzip" } } };
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop).Soon();
        Assert.Equal(["br"], response.Content.Headers.ContentEncoding);
        await using var body = new BrotliStream(await response.Content.ReadAsStreamAsync(Stop), CompressionMode.Decompress);
        using var stream = new ClientStream(response, body);

        Assert.StartsWith("id: ", await stream.ReadToAsync("\n\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_is_started_by_a_POST_and_streamed_by_a_GET()
    {
        await using var program = await StartAsync("producers.md", "both ways");
        using var started = await _client.PostAsJsonAsync("/chat", new { Text = "one two" }, Stop);

        using var stream = await OpenAsync(started.Headers.Location!.OriginalString);

        Assert.Equal(["one", "two", """{"state":"done"}"""], Data(await stream.ReadToEndAsync()));
    }

    [Fact]
    public async Task An_answer_that_a_POST_streams_is_gone_on_with_by_a_GET()
    {
        await using var program = await StartAsync("producers.md", "both ways");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/chat/mine") { Content = JsonContent.Create(new { Text = "one two three" }) };
        var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop).Soon();
        string first;
        using (var cut = new ClientStream(response, await response.Content.ReadAsStreamAsync(Stop)))
        {
            first = await cut.ReadToAsync("data: one\n") + await cut.ReadToAsync("\n\n");
        }

        var id = first[(first.LastIndexOf("id: ", StringComparison.Ordinal) + 4)..].TrimEnd('\n');
        using var rest = await OpenAsync($"/chat/mine?lastEventId={id}");

        Assert.Equal(["two", "three", """{"state":"done"}"""], Data(await rest.ReadToEndAsync()));
    }

    [Fact]
    public async Task What_TypedResults_sent_is_sent_as_before()
    {
        await using var program = await StartAsync("moving.md", "from TypedResults");

        using var texts = await OpenAsync("/texts");
        Assert.Equal("event: text\ndata: one\n\nevent: text\ndata: two\n\n", await texts.ReadToEndAsync());
        using var values = await OpenAsync("/values");
        Assert.Equal("data: {\"celsius\":20.5}\n\ndata: {\"celsius\":21}\n\n", await values.ReadToEndAsync());
        using var items = await OpenAsync("/items");
        Assert.Equal("event: room\nretry: 5000\ndata: {\"celsius\":20.5}\nid: 1\n\n", await items.ReadToEndAsync());
    }

    [Fact]
    public async Task What_was_sent_to_clients_and_groups_is_published_to_topics()
    {
        await using var program = await StartAsync("moving.md", "from Lib.AspNetCore.ServerSentEvents");
        using var live = await OpenAsync("/live");
        using var group = await OpenAsync("/groups/a/live");
        await group.ReadToAsync("\n\n");

        await PostAsync("/groups/b?text=for-b");
        await PostAsync("/groups/a?text=for-a");

        Assert.StartsWith("data: for-a\n", await group.ReadToAsync("\n\n"), StringComparison.Ordinal);
        await live.ReadToAsync("event: tick\ndata: tick ");
    }

    [Fact]
    public void Every_block_that_says_that_a_test_runs_it_is_run_by_one()
    {
        var names = Directory.GetFiles(Path.Combine(Sources.Root, "src", "SseKit", "Guide"), "*.md")
            .SelectMany(page => Mark().Matches(File.ReadAllText(page))).Select(match => match.Groups[1].Value).ToList();
        var tests = string.Concat(new[] { "Guide", "Surroundings" }
            .SelectMany(folder => Directory.GetFiles(Path.Combine(Sources.Root, "tests", "SseKit.Tests", folder), "*Tests.cs")).Select(File.ReadAllText));

        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.Contains($"\"{name}\"", tests, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_link_between_the_pages_leads_somewhere()
    {
        foreach (var page in Directory.GetFiles(Path.Combine(Sources.Root, "src", "SseKit", "Guide"), "*.md"))
        {
            Assert.All(Link().Matches(File.ReadAllText(page)), link => Assert.True(
                File.Exists(Path.Combine(Path.GetDirectoryName(page)!, link.Groups[1].Value)), $"{Path.GetFileName(page)} leads to {link.Groups[1].Value}."));
        }
    }

    private static IEnumerable<string> Data(string stream) =>
        stream.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line["data: ".Length..]);

    private static async Task<string> TokenAsync(HttpResponseMessage response) =>
        (await response.Content.ReadFromJsonAsync<JsonElement>(Stop)).GetProperty("accessToken").GetString()!;

    private async Task<GuideProgram> StartAsync(string page, string name)
    {
        var program = await GuideProgram.StartAsync(page, name);
        _client.BaseAddress = new Uri(program.Url);
        return program;
    }

    private async Task<HttpResponseMessage> PostAsync(string path)
    {
        var response = await _client.PostAsync(new Uri(path, UriKind.Relative), content: null, Stop);
        response.EnsureSuccessStatusCode();
        return response;
    }

    private async Task<ClientStream> OpenAsync(string path)
    {
        var response = await _client.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, Stop).Soon();
        return new ClientStream(response, await response.Content.ReadAsStreamAsync(Stop));
    }

    [GeneratedRegex("<!-- (?:Program\\.cs, |nginx, )?(.*), run by a test -->")]
    private static partial Regex Mark();

    [GeneratedRegex(@"\]\(([^)]+\.md)\)")]
    private static partial Regex Link();
}
