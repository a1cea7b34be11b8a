using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

public class IdleTopicTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void A_topic_that_nobody_uses_for_an_hour_is_dropped_and_who_comes_back_is_told()
    {
        using var stage = new TopicStage();
        var id = stage.Publish("1");
        stage.Time.Advance(Hour);
        Assert.Equal("", stage.Received(stage.Connect(id)));

        using var other = new TopicStage();
        id = other.Publish("1");
        other.Time.Advance(Hour * 1.25);
        var position = other.Position();
        Assert.NotEqual(id.Split('-')[0], position.Split('-')[0]);
        Assert.Equal($"event: gap\ndata: {{\"reason\":\"unknown\",\"requested\":\"{id}\"}}\nid: {position}\n\n", other.Received(other.Connect(id)));
    }

    [Fact]
    public void A_topic_that_is_published_to_or_read_now_and_then_stays()
    {
        using var stage = new TopicStage();
        var first = stage.Position();
        var origin = first.Split('-')[0];
        for (var i = 0; i < 10; i++)
        {
            stage.Time.Advance(Hour);
            Assert.StartsWith(origin, i % 2 == 0 ? stage.Publish("1") : stage.Position(), StringComparison.Ordinal);
        }

        Assert.DoesNotContain("gap", stage.Received(stage.Connect(first)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_topic_that_somebody_reads_stays_and_is_dropped_an_hour_after_the_last_has_left()
    {
        using var stage = new TopicStage();
        var client = stage.Connect();
        var id = stage.Publish("1");
        stage.Time.Advance(Hour * 10);
        Assert.Equal(id, stage.Position());

        client.Leave();
        stage.Settle();
        stage.Time.Advance(Hour);
        Assert.Equal(id, stage.Position());
        stage.Time.Advance(Hour * 1.25);
        Assert.NotEqual(id, stage.Position());
    }

    [Fact]
    public void Topics_of_the_past_make_room()
    {
        using var stage = new TopicStage(options => (options.MaxTopics, options.IdleTopicTimeout) = (2, TimeSpan.FromMinutes(10)));
        stage.Publish("1", "first");
        stage.Publish("1", "second");
        Assert.Throws<InvalidOperationException>(() => stage.Publish("1", "third"));

        stage.Time.Advance(TimeSpan.FromMinutes(12.5));
        stage.Publish("1", "third");
        stage.Publish("1", "fourth");
        Assert.Throws<InvalidOperationException>(() => stage.Publish("1", "fifth"));
    }

    [Fact]
    public void A_topic_that_was_visited_and_never_used_is_dropped_like_any_other_and_makes_room_once()
    {
        using var stage = new TopicStage(options => options.MaxTopics = 2);
        stage.Position("visited");
        stage.Time.Advance(Hour * 1.25);

        // What was dropped must not be dropped again in the place of one of the same name.
        stage.Publish("1", "visited");
        var id = stage.Publish("1", "second");
        Assert.Throws<InvalidOperationException>(() => stage.Publish("1", "third"));
        Assert.Equal(id, stage.Position("second"));
        Assert.Single(stage.Run(stage.Backlog.ReadAsync("visited", null, 10, Stop)).Entries);
    }

    [Fact]
    public void What_is_to_be_kept_for_long_keeps_its_topic()
    {
        using var stage = new TopicStage(options => options.Retention.Add(new SseRetentionRule { Topic = "jobs/*", MaxAge = Hour * 24 }));
        var job = stage.Publish("1", "jobs/1");
        var order = stage.Publish("1");
        stage.Time.Advance(Hour * 23);
        Assert.Equal(job, stage.Run(stage.Backlog.ReadAsync("jobs/1", null, 10, Stop)).Entries[0].Id);
        Assert.NotEqual(order, stage.Position());
        stage.Time.Advance(Hour * 26);
        Assert.NotEqual(job, stage.Position("jobs/1"));
    }

    [Fact]
    public void Topics_can_be_kept_for_ever()
    {
        using var stage = new TopicStage(options => options.IdleTopicTimeout = Timeout.InfiniteTimeSpan);
        var id = stage.Publish("1");
        stage.Time.Advance(Hour * 24 * 365);
        Assert.Equal(id, stage.Position());
    }

    [Fact]
    public async Task One_timer_sweeps_all_topics_and_there_is_none_without_topics()
    {
        var fake = new FakeTimeProvider();
        var time = new CountingTime(fake);
        var services = new ServiceCollection().AddSingleton<TimeProvider>(time).AddSse(options => options.MaxEventAge = Hour).Services.BuildServiceProvider();
        var topics = services.GetRequiredService<ISseTopics>();
        Assert.Equal(0, time.Created);
        for (var i = 0; i < 100; i++)
        {
            await topics.PublishAsync($"topic{i}", "1", Stop);
        }

        Assert.Equal(1, time.Created);
        fake.Advance(Hour * 1.25);
        Assert.Equal(0, time.Active);

        await topics.PublishAsync("orders", "1", Stop);
        Assert.Equal(1, time.Active);
        await services.DisposeAsync();
        Assert.Equal(0, time.Active);
    }

    [Fact]
    public async Task Where_nothing_is_ever_over_there_is_no_timer()
    {
        var time = new CountingTime(new FakeTimeProvider());
        var options = new SseOptions { IdleTopicTimeout = Timeout.InfiniteTimeSpan };
        using var backlog = new InMemoryBacklog(options, time);
        await new SseTopics(backlog, options, JsonSerializerOptions.Web, time, NullLogger.Instance).PublishAsync("orders", "1", Stop);
        Assert.Equal(0, time.Created);
    }
}
