using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Tests.Topics;

namespace SseKit.Tests.Streaming;

public class EndingEverywhereTests
{
    [Fact]
    public async Task The_streams_of_one_user_can_be_ended_with_a_word_on_all_nodes()
    {
        var store = new RelayingBacklog(new SlowPagingBacklog());
        await using var one = await StartAsync(store);
        await using var other = await StartAsync(store);
        using var here = await one.OpenAsync("/?user=ann");
        using var there = await other.OpenAsync("/?user=ann");
        using var bob = await other.OpenAsync("/?user=bob");

        await EndAsync(one, "ann", new SseEvent("logged\nout", "bye"));

        Assert.Equal("event: bye\ndata: logged\ndata: out\n\n", await here.ReadToEndAsync());
        Assert.Equal("event: bye\ndata: logged\ndata: out\n\n", await there.ReadToEndAsync());
        await Waiting.Until(() => other.Web.Services.GetRequiredService<ISseConnections>().Count == 1);

        await EndAsync(one, "bob");
        Assert.Equal("", await bob.ReadToEndAsync());
    }

    [Fact]
    public async Task Who_came_back_to_the_node_that_told_the_others_is_not_ended_again()
    {
        var store = new RelayingBacklog(new SlowPagingBacklog());
        await using var app = await StartAsync(store);
        var late = new List<Action>();
        store.Deliver = late.Add;
        using var first = await app.OpenAsync("/?user=ann");
        await EndAsync(app, "ann");
        Assert.Equal("", await first.ReadToEndAsync());

        using var second = await app.OpenAsync("/?user=ann");
        Assert.NotEmpty(late);
        late.ForEach(deliver => deliver());
        await EndAsync(app, "ann", "second");

        Assert.Equal("data: second\n\n", await second.ReadToEndAsync());
    }

    [Fact]
    public async Task In_memory_everywhere_is_here()
    {
        await using var app = await StartAsync(store: null);
        using var stream = await app.OpenAsync("/?user=ann");

        await EndAsync(app, "ann", "bye");

        Assert.Equal("data: bye\n\n", await stream.ReadToEndAsync());
    }

    [Fact]
    public async Task What_can_not_be_told_to_other_nodes_is_refused_and_ends_nothing()
    {
        await using var app = await StartAsync(new SlowPagingBacklog());
        using var stream = await app.OpenAsync("/?user=ann");

        Assert.Contains("ISseRelay", (await Assert.ThrowsAsync<NotSupportedException>(() => EndAsync(app, "ann"))).Message, StringComparison.Ordinal);
        Assert.Contains("NUL", (await Assert.ThrowsAsync<ArgumentException>(() => EndAsync(app, "a\0b"))).Message, StringComparison.Ordinal);
        Assert.Contains("EventId", (await Assert.ThrowsAsync<ArgumentException>(() => EndAsync(app, "ann", new SseEvent("bye") { EventId = "7" }))).Message, StringComparison.Ordinal);
        Assert.Contains("comment", (await Assert.ThrowsAsync<ArgumentException>(() => EndAsync(app, "ann", SseEvent.Comment("bye")))).Message, StringComparison.Ordinal);
        Assert.Equal(1, app.Web.Services.GetRequiredService<ISseConnections>().Count);
    }

    [Fact]
    public async Task A_node_that_stops_listens_no_more()
    {
        var store = new RelayingBacklog(new SlowPagingBacklog());
        var app = await StartAsync(store);
        Assert.Equal(1, store.Listeners);

        await app.DisposeAsync();

        Assert.Equal(0, store.Listeners);
    }

    private static async Task EndAsync(TestApp app, string key, SseEvent? last = null) =>
        await app.Web.Services.GetRequiredService<ISseConnections>().EndStreamsEverywhereAsync(key, last, TestContext.Current.CancellationToken);

    private static Task<TestApp> StartAsync(ISseBacklog? store) => TestApp.StartAsync(
        web => web.MapSse("/", _ => new HandSource()),
        services: services =>
        {
            services.AddSse(options => options.ConnectionKey = context => context.Request.Query["user"]);
            if (store is not null)
            {
                services.AddSingleton(store);
            }
        });
}
