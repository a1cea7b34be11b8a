namespace SseKit.Tests.Topics;

public class SubscriberCountTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Streams_and_readers_inside_the_app_are_counted_while_they_read(bool withStore)
    {
        using var stage = new TopicStage(store: withStore ? new SlowPagingBacklog() : null);
        Assert.Equal(0, stage.Topics.CountSubscribers("orders"));
        stage.Publish("1");
        Assert.Equal(0, stage.Topics.CountSubscribers("orders"));

        var first = stage.Connect();
        var second = stage.Connect();
        stage.Connect(topic: "others");
        using var stop = new CancellationTokenSource();
        var reading = stage.Topics.SubscribeAsync("orders", cancellationToken: stop.Token).GetAsyncEnumerator(stop.Token);
        var next = reading.MoveNextAsync();
        stage.Settle();
        Assert.Equal(3, stage.Topics.CountSubscribers("orders"));
        Assert.Equal(1, stage.Topics.CountSubscribers("others"));

        first.Leave();
        stop.Cancel();
        Assert.False(stage.Run(next));
        Assert.Equal(1, stage.Topics.CountSubscribers("orders"));
        second.Leave();
        stage.Settle();
        Assert.Equal(0, stage.Topics.CountSubscribers("orders"));
        Assert.Throws<ArgumentException>("topic", () => stage.Topics.CountSubscribers(""));
    }

    // In memory a publisher holds the topic for the moment of its step.
    [Fact]
    public async Task A_publisher_is_no_subscriber()
    {
        var backlog = new SseKit.Topics.InMemoryBacklog(new SseOptions());
        var counts = new List<int>();
        await using (await backlog.WatchAsync("orders", () => counts.Add(backlog.CountSubscribers("orders")), TestContext.Current.CancellationToken))
        {
            backlog.Append("orders", "data: 1\n"u8, null, null);
        }

        Assert.Equal([0], counts);
    }
}
