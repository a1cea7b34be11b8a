using SseKit.Topics;

namespace SseKit.Tests.Topics;

public class SubscribeTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_subscription_gives_the_events_with_their_ids(bool withStore)
    {
        using var stage = new TopicStage(store: withStore ? new SlowPagingBacklog() : null);
        stage.Publish("before");
        using var reading = new Reading(stage);
        var first = stage.Publish("1");
        var second = stage.Run(stage.Topics.PublishAsync(
            "orders", new SseEvent("a\nb", "created") { ReconnectionInterval = TimeSpan.FromSeconds(1) }, TestContext.Current.CancellationToken));

        Assert.Equal(["1", "a\nb"], reading.Items.Select(item => item.Data));
        Assert.Equal([first, second], reading.Items.Select(item => item.EventId));
        Assert.Equal([null, "created"], reading.Items.Select(item => item.EventType));
        Assert.Equal([null, TimeSpan.FromSeconds(1)], reading.Items.Select(item => item.ReconnectionInterval));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_subscription_goes_on_after_an_id(bool withStore)
    {
        using var stage = new TopicStage(store: withStore ? new SlowPagingBacklog() : null);
        var first = stage.Publish("1");
        stage.Publish("2");
        using var reading = new Reading(stage, first);
        stage.Publish("3");

        Assert.Equal(["2", "3"], reading.Items.Select(item => item.Data));
    }

    [Fact]
    public void A_subscription_may_begin_with_the_earliest_and_an_empty_id_is_none()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2);
        stage.Publish("1");
        stage.Publish("2");
        stage.Publish("3");
        using var reading = new Reading(stage, "", SseStart.Earliest);

        Assert.Equal(["2", "3"], reading.Items.Select(item => item.Data));
    }

    [Fact]
    public void A_subscription_is_told_of_a_gap_and_gets_what_is_kept()
    {
        using var stage = new TopicStage(options => options.GapEventType = "hole");
        var id = stage.Publish("1");
        using var reading = new Reading(stage, "nobodys");

        Assert.Equal(["hole", null], reading.Items.Select(item => item.EventType));
        Assert.Equal("{\"reason\":\"unknown\",\"requested\":\"nobodys\"}", reading.Items[0].Data);
        Assert.Equal(id, reading.Items[1].EventId);
    }

    [Theory]
    [InlineData(SseStart.Snapshot)]
    [InlineData((SseStart)7)]
    public void A_subscription_cant_start_with_a_snapshot(SseStart start)
    {
        using var stage = new TopicStage();
        var refused = Assert.Throws<ArgumentException>(() => stage.Topics.SubscribeAsync("orders", start: start, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal("start", refused.ParamName);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Cancellation_ends_a_waiting_subscription_without_an_exception(bool withStore)
    {
        var store = withStore ? new SlowPagingBacklog() : null;
        using var stage = new TopicStage(store: store);
        using var reading = new Reading(stage);
        Assert.False(reading.Task.IsCompleted);
        reading.Stop();

        Assert.True(reading.Task.IsCompletedSuccessfully);
        Assert.Equal(0, store?.Watches ?? 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_subscription_that_is_cancelled_before_it_begins_is_empty(bool withStore)
    {
        using var stage = new TopicStage(store: withStore ? new SlowPagingBacklog() : null);
        stage.Publish("1");
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        using var reading = new Reading(stage, start: SseStart.Earliest, stop: stop);

        Assert.True(reading.Task.IsCompletedSuccessfully);
        Assert.Empty(reading.Items);
    }

    // A driver may answer a cancelled call with any exception of its own.
    [Theory]
    [InlineData(typeof(OperationCanceledException))]
    [InlineData(typeof(TimeoutException))]
    public void Cancellation_while_the_store_is_asked_ends_a_subscription_without_an_exception(Type thrown)
    {
        var store = new SlowPagingBacklog();
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 1, store);
        var id = stage.Publish("1");
        stage.Publish("2");
        stage.Publish("3");
        using var other = new Reading(stage);
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        store.Pause = async (_, _) => await answer.Task;
        using var reading = new Reading(stage, id);
        reading.Stop();
        answer.SetException((Exception)Activator.CreateInstance(thrown)!);
        stage.Settle();

        Assert.True(reading.Task.IsCompletedSuccessfully, $"{reading.Task.Exception}");
        Assert.False(other.Task.IsCompleted);
    }

    [Theory]
    [InlineData(typeof(OperationCanceledException))]
    [InlineData(typeof(TimeoutException))]
    public void A_store_that_throws_when_its_reader_has_left_ends_a_subscription_without_an_exception(Type thrown)
    {
        using var stop = new CancellationTokenSource();
        var store = new SlowPagingBacklog
        {
            Pause = (_, _) =>
            {
                stop.Cancel();
                throw (Exception)Activator.CreateInstance(thrown)!;
            },
        };
        using var stage = new TopicStage(store: store);
        using var reading = new Reading(stage, stop: stop);

        Assert.True(reading.Task.IsCompletedSuccessfully, $"{reading.Task.Exception}");
    }

    [Fact]
    public void A_store_that_throws_ends_a_subscription_with_what_it_threw()
    {
        var store = new SlowPagingBacklog { Pause = (_, _) => throw new TimeoutException() };
        using var stage = new TopicStage(store: store);
        using var reading = new Reading(stage);

        Assert.IsType<TimeoutException>(reading.Task.Exception?.InnerException?.InnerException);
    }

    [Fact]
    public void Who_stops_reading_lets_go_of_the_topic()
    {
        var store = new SlowPagingBacklog();
        using var stage = new TopicStage(store: store);
        stage.Publish("1");
        using var reading = new Reading(stage, start: SseStart.Earliest, most: 1);

        Assert.True(reading.Task.IsCompletedSuccessfully);
        Assert.Equal(0, store.Watches);

        using var memory = new TopicStage();
        memory.Publish("1");
        using var another = new Reading(memory, start: SseStart.Earliest, most: 1);
        Assert.Equal(1, ((InMemoryBacklog)memory.Backlog).Attach("orders").Readers);
    }

    /// <summary>Somebody inside the app who reads a topic.</summary>
    private sealed class Reading : IDisposable
    {
        private readonly TopicStage _stage;
        private readonly CancellationTokenSource _stop;

        public Reading(TopicStage stage, string? lastEventId = null, SseStart start = SseStart.Live, CancellationTokenSource? stop = null, int most = int.MaxValue)
        {
            _stage = stage;
            _stop = stop ?? new CancellationTokenSource();
            Task = ReadAsync(lastEventId, start, most);
            stage.Settle();
        }

        public Task Task { get; }

        public List<SseEvent> Items { get; } = [];

        public void Stop()
        {
            _stop.Cancel();
            _stage.Settle();
        }

        public void Dispose() => _stop.Dispose();

        private async Task ReadAsync(string? lastEventId, SseStart start, int most)
        {
            await foreach (var item in _stage.Topics.SubscribeAsync("orders", lastEventId, start, cancellationToken: _stop.Token))
            {
                Items.Add(item);
                if (Items.Count == most)
                {
                    return;
                }
            }
        }
    }
}
