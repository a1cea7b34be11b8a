using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

public class PublishTogetherTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Events_that_are_published_together_arrive_in_order_with_the_ids_that_were_returned(bool store)
    {
        using var stage = new TopicStage(store: store ? new SlowPagingBacklog() : null);
        using var client = stage.Connect(configure: options => options.SendStartPosition = false);
        var ids = stage.Run(stage.Topics.PublishAsync("orders", ["tea", new SseEvent("milk", "created"), SseEvent.Json(7)], Stop));

        Assert.Equal(
            $"data: tea\nid: {ids[0]}\n\nevent: created\ndata: milk\nid: {ids[1]}\n\ndata: 7\nid: {ids[2]}\n\n", stage.Received(client));
        Assert.Equal(ids[2], stage.Position());
        Assert.Equal($"data: 7\nid: {ids[2]}\n\n", stage.Received(stage.Connect(ids[1])));
    }

    [Fact]
    public void Who_watches_is_rung_once_and_finds_all_of_them()
    {
        var log = new MemoryTopic("orders", new TopicRetention(100, 100_000, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var found = new List<int>();
        log.Watch(() => found.Add(log.Read(null, 100).Entries.Count));
        log.Append([.. Enumerable.Range(0, 10).Select(_ => new SseAppend { Frame = "data: 1\n"u8.ToArray() })]);

        Assert.Equal([10], found);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void When_one_of_them_can_not_be_published_none_is(bool store)
    {
        using var stage = new TopicStage(options => options.MaxEventSize = 2_000, store ? new SlowPagingBacklog() : null);
        using var client = stage.Connect(configure: options => options.SendStartPosition = false);
        var before = stage.Position();
        (SseEvent Wrong, string Says)[] mistakes =
        [
            (new SseEvent("1") with { EventId = "7" }, "carries no EventId"),
            (SseEvent.Comment("1"), "comment"),
            (new string('x', 2_000), "SseOptions.MaxEventSize is 2000"),
        ];
        foreach (var (wrong, says) in mistakes)
        {
            var refused = Assert.Throws<ArgumentException>(() => stage.Run(stage.Topics.PublishAsync("orders", ["1", wrong, "3"], Stop)));
            Assert.Equal("items", refused.ParamName);
            Assert.Contains(says, refused.Message, StringComparison.Ordinal);
            Assert.Contains("number 1 of those", refused.Message, StringComparison.Ordinal);
        }

        Assert.Throws<NotSupportedException>(() => stage.Run(stage.Topics.PublishAsync("orders", ["1", SseEvent.Json(new Failing())], Stop)));
        Assert.Equal(before, stage.Position());
        Assert.Equal("", stage.Received(client));
    }

    [Fact]
    public void Events_that_are_published_together_are_measured_one_by_one()
    {
        using var stage = new TopicStage(options => options.MaxEventSize = 2_000);
        var large = new SseEvent(new string('x', 1_900));
        Assert.Equal(3, stage.Run(stage.Topics.PublishAsync("orders", [large, large, large], Stop)).Count);
    }

    [Fact]
    public void More_than_the_topic_keeps_is_refused_by_name()
    {
        using var stage = new TopicStage(options =>
        {
            options.MaxEventsPerTopic = 3;
            options.Retention.Add(new SseRetentionRule { Topic = "small", MaxEvents = 100, MaxBytes = 1_024 });
        });
        var before = stage.Position();
        Assert.Equal(3, stage.Run(stage.Topics.PublishAsync("orders", ["1", "2", "3"], Stop)).Count);
        var four = Assert.Throws<ArgumentException>(() => stage.Run(stage.Topics.PublishAsync("orders", ["1", "2", "3", "4"], Stop)));
        Assert.All(
            new[] { "4 events", "'orders'", "SseOptions.MaxEventsPerTopic", "SseOptions.MaxBytesPerTopic", "SseOptions.Retention", "none was published" },
            text => Assert.Contains(text, four.Message, StringComparison.Ordinal));
        Assert.Equal(3, stage.Received(stage.Connect(before)).Split("data: ").Length - 1);

        var half = new string('x', 600);
        Assert.Throws<ArgumentException>(() => stage.Run(stage.Topics.PublishAsync("small", [half, half], Stop)));
        Assert.Single(stage.Run(stage.Topics.PublishAsync("small", [new SseEvent(half + half)], Stop)));
    }

    [Fact]
    public void Nothing_is_published_of_nothing()
    {
        using var stage = new TopicStage();
        var before = stage.Position();
        Assert.Empty(stage.Run(stage.Topics.PublishAsync("orders", [], Stop)));
        Assert.Equal(before, stage.Position());
        Assert.Throws<ArgumentException>(() => stage.Run(stage.Topics.PublishAsync("a\nb", [], Stop)));
        Assert.Throws<ArgumentNullException>(() => stage.Run(stage.Topics.PublishAsync("orders", (SseEvent[])null!, Stop)));
    }

    [Fact]
    public void What_is_cancelled_beforehand_is_not_published()
    {
        using var stage = new TopicStage();
        var before = stage.Position();
        Assert.ThrowsAny<OperationCanceledException>(() => stage.Run(stage.Topics.PublishAsync("orders", ["1", "2"], new CancellationToken(canceled: true))));
        Assert.Equal(before, stage.Position());
    }

    [Fact]
    public void A_store_that_can_not_store_several_in_one_step_says_so_and_stores_none()
    {
        using var stage = new TopicStage(store: new OneByOne());
        stage.Publish("1");
        var refused = Assert.Throws<NotSupportedException>(() => stage.Run(stage.Topics.PublishAsync("orders", ["1", "2"], Stop)));
        Assert.All(new[] { "OneByOne", "ISseBacklog.AppendAsync", "one by one" }, text => Assert.Contains(text, refused.Message, StringComparison.Ordinal));
        Assert.Single(stage.Run(stage.Backlog.ReadAsync("orders", null, 10, Stop)).Entries);
    }

    [Fact]
    public async Task Events_that_are_published_together_are_counted_one_by_one()
    {
        var services = new ServiceCollection().AddMetrics().AddSse().Services.BuildServiceProvider();
        await using var disposing = services;
        var factory = services.GetRequiredService<IMeterFactory>();
        var published = 0L;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (instrument.Name == "ssekit.topic.publishes" && instrument.Meter.Scope == factory)
                {
                    listening.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, count, _, _) => published += count);
        listener.Start();
        await services.GetRequiredService<ISseTopics>().PublishAsync("orders", ["1", "2", "3"], Stop);
        await services.GetRequiredService<ISseTopics>().PublishAsync("orders", "4", Stop);
        Assert.Equal(4, published);
    }

    private sealed class Failing
    {
        public int Value => throw new NotSupportedException();
    }

    /// <summary>A store that does what it must and no more.</summary>
    private sealed class OneByOne : ISseBacklog
    {
        private readonly SlowPagingBacklog _inner = new();

        public ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) => _inner.AppendAsync(topic, append, cancellationToken);

        public ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken) => _inner.ReadAsync(topic, after, max, cancellationToken);

        public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken) => _inner.WatchAsync(topic, grown, cancellationToken);
    }
}
