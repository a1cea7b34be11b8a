using System.Text.Json;
using SseKit.Topics;
using SseKit.Waiting;
using SseKit.Wire;

namespace SseKit.Tests.Topics;

public class FilterTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_subscriber_gets_the_events_that_its_filter_lets_pass(bool withStore)
    {
        using var stage = Stage(withStore);
        var mine = stage.Connect(configure: Of("me"));
        var all = stage.Connect(configure: options => options.Filter = _ => null);
        var ids = PublishTo(stage, "me", "other", null, "me", "other");

        Assert.EndsWith(Text(ids, 0, 3), stage.Received(mine), StringComparison.Ordinal);
        Assert.EndsWith(Text(ids, 0, 1, 2, 3, 4), stage.Received(all), StringComparison.Ordinal);
        ids.AddRange(PublishTo(stage, 5, "me", "other"));
        Assert.Equal(Text(ids, 5), stage.Received(mine));
    }

    [Fact]
    public void A_filter_sees_the_type_and_the_key()
    {
        using var stage = Stage(withStore: false);
        var seen = new List<SseTopicEvent>();
        stage.Connect(configure: options => options.Filter = _ => item =>
        {
            seen.Add(item);
            return false;
        });
        stage.Publish("1");
        stage.Publish("2", key: "k", type: "tick");
        stage.Publish("3", type: "message");

        Assert.Equal(
            [new SseTopicEvent { EventType = "message" }, new SseTopicEvent { EventType = "tick", Key = "k" }, new SseTopicEvent { EventType = "" }], seen);
        Assert.Equal(["message", "tick", "message"], seen.Select(item => item.EventType));
    }

    [Fact]
    public void A_filter_is_made_once_for_each_subscriber_and_asked_once_about_each_event()
    {
        using var stage = Stage(withStore: false);
        int made = 0, asked = 0;
        Action<SseStreamOptions> counting = options => options.Filter = context =>
        {
            Assert.NotNull(context.RequestServices);
            made++;
            return item =>
            {
                asked++;
                return item.Key == "me";
            };
        };
        var ids = PublishTo(stage, "other", "me", "me", "other", "other", "me", "other");
        stage.Connect(stage.Position());
        var client = stage.Connect(ids[0], counting);
        Assert.Equal((1, 6), (made, asked));
        Assert.Equal(Text(ids, 1, 2, 5), stage.Received(client));
        PublishTo(stage, "other", "me");
        Assert.Equal((1, 8), (made, asked));
        stage.Connect(configure: counting);
        Assert.Equal((2, 8), (made, asked));
    }

    [Fact]
    public void Who_is_behind_gets_neighbours_in_one_piece()
    {
        using var stage = Stage(withStore: false);
        PublishTo(stage, "me", "me", "me", "other", "me", "me");
        var topics = (SseTopics)stage.Topics;
        var pieces = new List<string>();
        Assert.True(stage.Run(CollectAsync()));
        Assert.Equal(["012", "45"], pieces);

        async ValueTask<bool> CollectAsync()
        {
            using var stop = new CancellationTokenSource();
            var request = new TopicRequest
            {
                Topic = "orders",
                Start = SseStart.Earliest,
                Selection = new Selection(item => item.Key == "me", checkpoints: false),
                GapEventType = "gap",
                Json = JsonSerializerOptions.Web,
            };
            await foreach (var frames in topics.ReadFramesAsync(request, stop.Token))
            {
                pieces.Add(string.Concat(FrameReader.Read(frames).Select(item => item.Data)));
                if (pieces.Count == 2)
                {
                    return true;
                }
            }

            return false;
        }
    }

    [Fact]
    public void A_flow_that_never_ends_does_not_keep_a_client_that_leaves()
    {
        using var stage = Stage(withStore: false);
        CapturedConnection? client = null;
        var asked = 0;
        client = stage.Connect(configure: options => options.Filter = _ => item =>
        {
            // Each event is followed by another one before it is rejected.
            if (++asked < 20_000)
            {
                ((InMemoryBacklog)stage.Backlog).Append("orders", "data: more\n"u8, null, null);
            }

            if (asked == 1_000)
            {
                client!.Leave();
            }

            return false;
        });
        stage.Received(client);
        stage.Publish("first");
        Assert.True(client.IsOver);
        Assert.InRange(asked, 1_000, 5_000);
    }

    // Who disposes of it waits for its step to be over, and takes it for over then.
    [Fact]
    public void A_reader_that_is_told_to_stop_while_it_gives_way_begins_no_other_step()
    {
        using var stage = Stage(withStore: false);
        using var stop = new CancellationTokenSource();
        var request = new TopicRequest
        {
            Topic = "orders",
            Selection = new Selection(
                _ =>
                {
                    ((InMemoryBacklog)stage.Backlog).Append("orders", "data: more\n"u8, null, null);
                    return false;
                },
                checkpoints: false),
            GapEventType = "gap",
            Json = JsonSerializerOptions.Web,
        };
        var reader = ((SseTopics)stage.Topics).Subscribe(request, stop.Token);
        Assert.Equal(SourceStep.Pending, reader.MoveNext());
        stage.Publish("first");
        Assert.Equal((SourceStep.Pending, true), (reader.MoveNext(), reader.IsBusy));

        stop.Cancel();
        stage.Settle();

        Assert.False(reader.TryWait(new AsyncSignal()));
        Assert.Equal((SourceStep.Ended, false), (reader.MoveNext(), reader.IsBusy));
        Assert.True(reader.DisposeAsync().AsTask().IsCompletedSuccessfully);
        Assert.Equal(0, stage.Topics.CountSubscribers("orders"));
    }

    [Fact]
    public void A_keep_alive_that_falls_due_while_a_foreign_event_is_passed_by_is_sent()
    {
        using var stage = Stage(withStore: false);
        var client = stage.Connect(configure: Of("me"));
        stage.Received(client);

        // Both before the stream looks: it has been woken for the event, and finds nothing to send in it.
        ((InMemoryBacklog)stage.Backlog).Append("orders", "data: foreign\n"u8, null, "other");
        stage.Time.Advance(TimeSpan.FromSeconds(15));

        Assert.Equal(":\n", stage.Received(client));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_long_way_of_foreign_events_is_skipped_and_ends_in_a_wait(bool withStore)
    {
        using var stage = Stage(withStore, kept: 5_000);
        var client = stage.Connect(configure: Of("me"));
        stage.Received(client);
        client.Stall();
        var first = stage.Publish("0", key: "me");
        for (var i = 0; i < 3_000; i++)
        {
            stage.Publish(new string('x', 100), key: "other");
        }

        var last = stage.Publish("1", key: "me");
        client.ReadOn();
        Assert.Equal($"data: 0\nid: {first}\n\ndata: 1\nid: {last}\n\n", stage.Received(client));
        var next = stage.Publish("2", key: "me");
        Assert.Equal($"data: 2\nid: {next}\n\n", stage.Received(client));
    }

    [Fact]
    public void Who_comes_back_with_a_filter_pages_through_a_store_to_the_live_end()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2, new SlowPagingBacklog { PageSize = asked => Math.Min(asked, 4) });
        var ids = PublishTo(stage, "me", "other", "me", "me", "other", "other", "other", "other", "other", "other", "me", "other", "other", "me", "me");

        var client = stage.Connect(ids[0], Of("me"));
        ids.AddRange(PublishTo(stage, 15, "other", "me"));
        Assert.Equal(Text(ids, 2, 3, 10, 13, 14, 16), stage.Received(client));
    }

    [Fact]
    public void Gaps_snapshots_and_positions_are_not_filtered()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2);
        Action<SseStreamOptions> none = options => options.Filter = _ => _ => false;
        var ids = PublishTo(stage, null, null, null, null);

        Assert.Equal($"id: {ids[3]}\n\n", stage.Received(stage.Connect(configure: none)));
        Assert.Equal(
            $"event: gap\ndata: {{\"reason\":\"trimmed\",\"requested\":\"{ids[0]}\"}}\nid: {ids[1]}\n\n", stage.Received(stage.Connect(ids[0], none)));
        Assert.Equal($"data: all\nid: {ids[3]}\n\n", stage.Received(stage.Connect(configure: options =>
        {
            none(options);
            options.Start = SseStart.Snapshot;
            options.Snapshot = (_, _) => AllAsync();
        })));

        static async IAsyncEnumerable<SseEvent> AllAsync()
        {
            await Task.Yield();
            yield return "all";
        }
    }

    [Fact]
    public void A_filtered_client_goes_on_after_the_last_event_that_it_was_given()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 3);
        var ids = PublishTo(stage, "me", "other", "other");
        Assert.Equal("", stage.Received(stage.Connect(ids[0], Of("me"))));

        // Nothing of what was trimmed was for it, but nothing tells.
        PublishTo(stage, "other", "other");
        Assert.StartsWith("event: gap\ndata: {\"reason\":\"trimmed\"", stage.Received(stage.Connect(ids[0], Of("me"))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_slow_client_that_skipped_what_was_trimmed_is_told_of_no_gap()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 3);
        var client = stage.Connect(configure: Of("me"));
        var first = stage.Publish("0", key: "me");
        PublishTo(stage, "other", "other", "other", "other", "other", "other");
        var last = stage.Publish("1", key: "me");

        Assert.EndsWith($"data: 0\nid: {first}\n\ndata: 1\nid: {last}\n\n", stage.Received(client), StringComparison.Ordinal);
    }

    [Fact]
    public void A_subscription_inside_the_app_can_filter_too()
    {
        using var stage = Stage(withStore: false);
        var ids = PublishTo(stage, "other", "me", "other", "me");
        var read = new List<string?>();
        Assert.True(stage.Run(ReadAsync()));
        Assert.Equal([ids[1], ids[3]], read);

        async ValueTask<bool> ReadAsync()
        {
            await foreach (var item in stage.Topics.SubscribeAsync("orders", start: SseStart.Earliest, filter: item => item.Key == "me"))
            {
                read.Add(item.EventId);
                if (read.Count == 2)
                {
                    return true;
                }
            }

            return false;
        }
    }

    private static TopicStage Stage(bool withStore, int kept = 1_000) =>
        new(options => (options.MaxEventsPerTopic, options.MaxBytesPerTopic) = (kept, 100 * 1024 * 1024), withStore ? new SlowPagingBacklog(kept) : null);

    private static Action<SseStreamOptions> Of(string key) => options => options.Filter = _ => item => item.Key == key;

    private static List<string> PublishTo(TopicStage stage, params string?[] keys) => PublishTo(stage, 0, keys);

    private static List<string> PublishTo(TopicStage stage, int from, params string?[] keys) =>
        [.. keys.Select((key, i) => stage.Publish($"{from + i}", key: key))];

    private static string Text(List<string> ids, params int[] which) => string.Concat(which.Select(i => $"data: {i}\nid: {ids[i]}\n\n"));
}
