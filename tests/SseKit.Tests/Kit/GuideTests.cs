#pragma warning disable xUnit1051 // The guide's code stands here as a user writes it, under whatever framework.
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using SseKit.Testing;
using SseKit.Tests.Repository;

namespace SseKit.Tests.Kit;

/// <summary>The code of src/SseKit.Testing/README.md, run.</summary>
public partial class GuideTests
{
    [Fact]
    public async Task An_order_is_seen_live()
    {
        await using var app = await StartAsync();
        using var client = app.GetTestClient();

        await using var stream = await client.OpenSseAsync("/orders/live");
        await client.PostAsJsonAsync("/orders", new Order(7, "tea"));
        Assert.Equal("tea", (await stream.NextEventAsync()).Json<Order>()!.What);
    }

    [Fact]
    public async Task Who_was_cut_off_misses_nothing()
    {
        await using var app = await StartAsync();
        using var client = app.GetTestClient();

        await using var stream = await client.OpenSseAsync("/orders/live");
        await stream.NextAsync();                                     // the position: an id without data
        stream.Cut();                                                 // the network is gone
        await client.PostAsJsonAsync("/orders", new Order(7, "tea"));
        await stream.ReconnectAsync();                                // with Last-Event-ID, as a browser does
        Assert.Equal("tea", (await stream.NextEventAsync()).Json<Order>()!.What);
    }

    [Fact]
    public async Task A_silent_stream_is_kept_alive()
    {
        var time = new FakeTimeProvider();
        await using var app = await StartAsync(services => services.AddSingleton<TimeProvider>(time));
        using var client = app.GetTestClient();

        await using var stream = await client.OpenSseAsync("/orders/live");
        await stream.NextCommentAsync(() => time.Advance(TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public async Task All_of_an_answer_is_read()
    {
        await using var app = await StartAsync();
        using var client = app.GetTestClient();

        await using var stream = await client.OpenSseAsync("/words");
        var words = await stream.ReadEventsAsync().Select(item => item.Data).ToListAsync();
        Assert.Equal(["tea", "time"], words);
    }

    [Fact]
    public void Every_example_of_the_guide_stands_here()
    {
        var here = Lines(Sources.Text("tests", "SseKit.Tests", "Kit", "GuideTests.cs"));
        var examples = Example().Matches(Sources.Text("src", "SseKit.Testing", "README.md").ReplaceLineEndings("\n")).Select(match => match.Groups[1].Value).ToList();

        Assert.NotEmpty(examples);
        Assert.All(examples, example => Assert.Contains(Lines(example), here, StringComparison.Ordinal));
    }

    private static async Task<WebApplication> StartAsync(Action<IServiceCollection>? services = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new() { EnvironmentName = Environments.Production });
        builder.WebHost.UseTestServer();
        builder.Services.AddRouting();
        builder.Services.AddSse();
        services?.Invoke(builder.Services);
        var app = builder.Build();
        app.MapSse("/orders/live", "orders");
        app.MapPost("/orders", async (Order order, ISseTopics topics) => await topics.PublishAsync("orders", SseEvent.Json(order)));
        app.MapGet("/words", () => EventSourceResult.From(new[] { "tea", "time" }.ToAsyncEnumerable()));
        await app.StartAsync();
        return app;
    }

    private static string Lines(string code) => string.Join('\n', code.ReplaceLineEndings("\n").Split('\n').Select(line => line.Trim()));

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Example();
}

public class GuideStoreTests : SseBacklogContract
{
    [Theory, MemberData(nameof(Checks))]
    public Task Keeps_the_contract(string check) => RunAsync(check);

    protected override ISseBacklog Create(int maxEvents) => new MyBacklog(maxEvents);

    private sealed class MyBacklog(int maxEvents) : ISseBacklog, IDisposable
    {
        private readonly SseKit.Topics.InMemoryBacklog _memory = new(new SseOptions { MaxEventsPerTopic = maxEvents });

        public ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) => _memory.AppendAsync(topic, append, cancellationToken);

        public ValueTask<IReadOnlyList<SseEntry>> AppendAsync(string topic, IReadOnlyList<SseAppend> appends, CancellationToken cancellationToken) =>
            _memory.AppendAsync(topic, appends, cancellationToken);

        public ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken) => _memory.ReadAsync(topic, after, max, cancellationToken);

        public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken) => _memory.WatchAsync(topic, grown, cancellationToken);

        public void Dispose() => _memory.Dispose();
    }
}

public sealed record Order(int Id, string What);
