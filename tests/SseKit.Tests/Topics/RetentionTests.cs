using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

public class RetentionTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void An_event_that_is_too_old_is_not_replayed_though_nothing_was_published_since()
    {
        using var stage = new TopicStage(options => options.MaxEventAge = Minute);
        var before = stage.Position();
        var id = stage.Publish("1");
        stage.Time.Advance(Minute - TimeSpan.FromMilliseconds(100));
        Assert.Equal($"data: 1\nid: {id}\n\n", stage.Received(stage.Connect(before)));

        stage.Time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(Gap("trimmed", before, id), stage.Received(stage.Connect(before)));
        Assert.Equal($"id: {id}\n\n", stage.Received(stage.Connect(configure: options => options.Start = SseStart.Earliest)));
        Assert.Empty(Kept(stage));
    }

    [Fact]
    public void Each_event_goes_at_its_own_time()
    {
        using var stage = new TopicStage(options => options.MaxEventAge = Minute);
        for (var i = 0; i < 100; i++)
        {
            stage.Publish($"{i}");
            stage.Time.Advance(TimeSpan.FromSeconds(7));
            Assert.Equal(Math.Min(i + 1, 8), Kept(stage).Count);
        }
    }

    [Fact]
    public void Who_has_everything_misses_nothing_when_all_of_it_is_too_old()
    {
        using var stage = new TopicStage(options => options.MaxEventAge = Minute);
        stage.Publish("1");
        var last = stage.Publish("2");
        var reading = stage.Connect(last);
        stage.Time.Advance(Minute * 5);
        var returning = stage.Connect(last);
        var next = stage.Publish("3");

        var received = $"data: 3\nid: {next}\n\n";
        Assert.Equal(received, stage.Received(returning));
        Assert.Equal(received, stage.Received(reading).Replace(":\n", "", StringComparison.Ordinal));
        Assert.Equal(last, Assert.Single(Kept(stage)).PreviousId);
    }

    [Fact]
    public void A_client_that_is_too_slow_for_what_is_kept_is_told_of_the_gap_in_mid_stream()
    {
        using var stage = new TopicStage(options => (options.MaxEventAge, options.WriteTimeout) = (Minute, Timeout.InfiniteTimeSpan));
        var client = stage.Connect(stage.Publish("read"));
        client.Stall();
        for (var i = 0; i < 60; i++)
        {
            stage.Publish(new string('x', 4_000));
        }

        stage.Time.Advance(Minute);
        var next = stage.Publish("next");
        client.ReadOn();

        // What was under way comes whole, and is what the gap is behind.
        var received = stage.Received(client);
        Assert.InRange(received.Split("data: xx").Length - 1, 1, 30);
        var behind = received[..received.IndexOf("event: gap", StringComparison.Ordinal)].Split("id: ")[^1].TrimEnd();
        Assert.EndsWith($"{Gap("trimmed", behind, next.Split('-')[0] + "-61")}data: next\nid: {next}\n\n", received, StringComparison.Ordinal);
    }

    [Fact]
    public void The_memory_of_what_is_too_old_is_given_back_though_nobody_comes()
    {
        var time = new FakeTimeProvider();
        using var backlog = new InMemoryBacklog(new SseOptions { MaxEventAge = Minute }, time);
        var segment = Publish(backlog);
        time.Advance(Minute * 1.25);

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(segment.IsAlive);
        GC.KeepAlive(backlog);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference Publish(InMemoryBacklog backlog)
        {
            var log = backlog.Attach("orders");
            var place = log.Newest();
            log.Append("data: 1\n"u8, null);
            Assert.True(log.TryLocate(place.Position, out var segment, out _));
            backlog.Detach(log);
            return new WeakReference(segment);
        }
    }

    [Fact]
    public void What_a_node_lets_go_of_is_read_from_the_store()
    {
        using var stage = new TopicStage(options => options.MaxEventAge = Minute, new SlowPagingBacklog());
        var before = stage.Position();
        var staying = stage.Connect();
        stage.Publish("1");
        stage.Publish("2");
        var last = stage.Publish("3");
        stage.Time.Advance(Minute * 2);
        stage.Settle();
        stage.Received(staying);

        Assert.Equal(3, stage.Received(stage.Connect(before)).Split("data: ").Length - 1);
        var next = stage.Publish("4");
        Assert.Equal($"data: 4\nid: {next}\n\n", stage.Received(staying));
        Assert.Equal($"data: 4\nid: {next}\n\n", stage.Received(stage.Connect(last)));
    }

    [Fact]
    public void A_node_takes_the_age_of_an_event_from_the_store()
    {
        var time = new FakeTimeProvider();
        var log = new FeedLog("0", new TopicRetention(10, 1_000, Minute), time);
        Assert.True(log.TryAppend([Entry("1", "0", Minute), Entry("2", "1", Minute * 0.9), Entry("3", "2", TimeSpan.Zero), Entry("4", "3", -Minute)]));
        Assert.Equal("1", log.Earliest().Id);
        time.Advance(Minute * 0.1);
        Assert.Equal("2", log.Earliest().Id);
        time.Advance(Minute * 0.9);
        Assert.Equal("4", log.Earliest().Id);
        Assert.Equal(TopicLookup.Unknown, log.Find("3", out _));
        Assert.Equal(TopicLookup.Found, log.Find("4", out _));

        // A store may be older than any clock.
        Assert.True(log.TryAppend([Entry("5", "4", TimeSpan.MaxValue)]));
        Assert.Equal("5", log.Earliest().Id);

        static SseEntry Entry(string id, string previous, TimeSpan age) =>
            new() { Id = id, PreviousId = previous, Frame = Encoding.UTF8.GetBytes($"data: {id}\n"), Age = age };
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_clock_of_a_log_may_wrap_around(bool byAge)
    {
        // Tenths of a second in 32 bits turn over half a minute from now.
        const long Turn = (1L << 32) * TimeSpan.TicksPerSecond / 10;
        var time = new FakeTimeProvider();
        time.Advance(TimeSpan.FromTicks(((Turn * 3 / 2) - (time.GetElapsedTime(0).Ticks % Turn)) % Turn) - (Minute / 2));
        using var backlog = new InMemoryBacklog(new SseOptions { MaxEventAge = byAge ? Minute : Timeout.InfiniteTimeSpan }, time);
        var log = backlog.Attach("orders");
        log.Append("data: 1\n"u8, null);
        time.Advance(Minute * 0.9);
        Assert.Single(log.Read(null, 10).Entries);
        time.Advance(Minute * 0.1);
        Assert.Equal(byAge ? 0 : 1, log.Read(null, 10).Entries.Count);
    }

    [Theory]
    [InlineData("vip", 5)]
    [InlineData("orders/7", 2)]
    [InlineData("orders/", 2)]
    [InlineData("orders", 3)]
    [InlineData("Orders/7", 3)]
    [InlineData("jobs/8", 4)]
    public void The_first_rule_that_matches_says_how_many_events_a_topic_keeps(string topic, int kept)
    {
        using var stage = new TopicStage(options =>
        {
            options.MaxEventsPerTopic = 4;
            options.Retention.Add(new SseRetentionRule { Topic = "vip", MaxEvents = 5 });
            options.Retention.Add(new SseRetentionRule { Topic = "orders/*", MaxEvents = 2 });
            options.Retention.Add(new SseRetentionRule { Topic = "jobs/*", MaxAge = Minute });
            options.Retention.Add(new SseRetentionRule { Topic = "*", MaxEvents = 3 });
        });
        for (var i = 0; i < 10; i++)
        {
            stage.Publish("1", topic);
        }

        Assert.Equal(kept, Kept(stage, topic).Count);
    }

    [Fact]
    public void A_rule_limits_bytes_and_age_too_and_what_it_leaves_out_is_as_for_all_topics()
    {
        using var stage = new TopicStage(options =>
        {
            options.MaxEventAge = Minute;
            options.Retention.Add(new SseRetentionRule { Topic = "small", MaxBytes = 2_000 });
            options.Retention.Add(new SseRetentionRule { Topic = "long", MaxAge = Minute * 2 });
            options.Retention.Add(new SseRetentionRule { Topic = "for ever", MaxAge = Timeout.InfiniteTimeSpan });
        });
        string[] topics = ["small", "long", "for ever", "another"];
        foreach (var topic in topics)
        {
            for (var i = 0; i < 10; i++)
            {
                stage.Publish(new string('x', 500), topic);
            }
        }

        Assert.Equal([3, 10, 10, 10], topics.Select(topic => Kept(stage, topic).Count));
        stage.Time.Advance(Minute);
        Assert.Equal([0, 10, 10, 0], topics.Select(topic => Kept(stage, topic).Count));
        stage.Time.Advance(Minute);
        Assert.Equal([0, 0, 10, 0], topics.Select(topic => Kept(stage, topic).Count));
    }

    [Fact]
    public void With_a_store_a_rule_says_what_the_node_keeps_at_hand()
    {
        var store = new SlowPagingBacklog();
        using var stage = new TopicStage(options => options.Retention.Add(new SseRetentionRule { Topic = "orders", MaxEvents = 2 }), store);
        using var staying = stage.Connect();
        var ids = Enumerable.Range(0, 6).Select(i => stage.Publish($"{i}")).ToList();
        stage.Settle();

        var reads = 0;
        store.Pause = (moment, _) =>
        {
            reads += moment == SlowPagingBacklog.Moment.BeforeRead ? 1 : 0;
            return default;
        };
        Assert.Equal(2, stage.Received(stage.Connect(ids[3])).Split("data: ").Length - 1);
        Assert.Equal(0, reads);
        Assert.Equal(3, stage.Received(stage.Connect(ids[2])).Split("data: ").Length - 1);
        Assert.NotEqual(0, reads);
    }

    [Fact]
    public void Retention_can_be_bound_to_the_configuration()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Sse:MaxEventAge"] = "01:00:00",
            ["Sse:IdleTopicTimeout"] = "02:00:00",
            ["Sse:Retention:0:Topic"] = "orders/*",
            ["Sse:Retention:0:MaxEvents"] = "50",
            ["Sse:Retention:0:MaxBytes"] = "4096",
            ["Sse:Retention:1:Topic"] = "jobs",
            ["Sse:Retention:1:MaxAge"] = "00:10:00",
        }).Build();
        var services = new ServiceCollection();
        services.AddSse();
        services.Configure<SseOptions>(configuration.GetSection("Sse"));
        using var provider = services.BuildServiceProvider();

        var options = provider.GetRequiredService<IOptions<SseOptions>>().Value;
        Assert.Equal((TimeSpan.FromHours(1), TimeSpan.FromHours(2)), (options.MaxEventAge, options.IdleTopicTimeout));
        var orders = options.FindRetentionRule("orders/7")!;
        Assert.Equal((50, 4_096L, null), (orders.MaxEvents, orders.MaxBytes, orders.MaxAge));
        Assert.Equal(TimeSpan.FromMinutes(10), options.FindRetentionRule("jobs")!.MaxAge);
        Assert.Null(options.FindRetentionRule("jobs/1"));
    }

    private static string Gap(string reason, string requested, string id) =>
        $"event: gap\ndata: {{\"reason\":\"{reason}\",\"requested\":\"{requested}\"}}\nid: {id}\n\n";

    private static IReadOnlyList<SseEntry> Kept(TopicStage stage, string topic = "orders") =>
        stage.Run(stage.Backlog.ReadAsync(topic, null, int.MaxValue, Stop)).Entries;
}
