using System.Runtime.CompilerServices;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Topics;

public class ResumeTests
{
    [Fact]
    public void A_reconnecting_client_gets_only_what_it_missed()
    {
        using var stage = new TopicStage();
        var first = stage.Publish("1");
        var second = stage.Publish("2");
        var third = stage.Publish("3");

        var client = stage.Connect(first);
        Assert.Equal($"data: 2\nid: {second}\n\ndata: 3\nid: {third}\n\n", stage.Received(client));

        var fourth = stage.Publish("4");
        Assert.Equal($"data: 4\nid: {fourth}\n\n", stage.Received(client));
    }

    [Fact]
    public void A_client_that_missed_nothing_gets_nothing()
    {
        using var stage = new TopicStage();
        stage.Publish("1");
        var client = stage.Connect(stage.Publish("2"));

        Assert.True(client.HasBegun);
        Assert.Equal("", stage.Received(client));
    }

    [Fact]
    public void A_live_stream_opens_with_its_position_so_that_a_cut_before_the_first_event_loses_nothing()
    {
        using var stage = new TopicStage();
        stage.Publish("before");
        var position = stage.Position();
        var client = stage.Connect();
        Assert.Equal($"id: {position}\n\n", stage.Received(client));

        client.Leave();
        stage.Settle();
        var missed = stage.Publish("missed");
        Assert.Equal($"data: missed\nid: {missed}\n\n", stage.Received(stage.Connect(position)));
    }

    [Fact]
    public void The_position_is_not_sent_where_it_was_turned_off()
    {
        using var stage = new TopicStage(options => options.SendStartPosition = false);
        Assert.Equal("", stage.Received(stage.Connect()));
        Assert.NotEqual("", stage.Received(stage.Connect(configure: options => options.SendStartPosition = true)));

        using var other = new TopicStage();
        var quiet = other.Connect(configure: options => options.SendStartPosition = false);
        var id = other.Publish("1");
        Assert.Equal($"data: 1\nid: {id}\n\n", other.Received(quiet));
    }

    [Fact]
    public void A_new_client_gets_what_is_kept_where_it_starts_with_the_earliest()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2);
        var ids = Enumerable.Range(1, 4).Select(i => stage.Publish($"{i}")).ToList();

        var client = stage.Connect(configure: options => options.Start = SseStart.Earliest);
        Assert.Equal($"id: {ids[1]}\n\ndata: 3\nid: {ids[2]}\n\ndata: 4\nid: {ids[3]}\n\n", stage.Received(client));
    }

    [Fact]
    public void A_client_whose_place_was_trimmed_is_told_and_gets_what_is_kept()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2);
        var ids = Enumerable.Range(1, 4).Select(i => stage.Publish($"{i}")).ToList();

        Assert.Equal(
            $$"""event: gap{{"\n"}}data: {"reason":"trimmed","requested":"{{ids[0]}}"}{{"\n"}}id: {{ids[1]}}{{"\n\n"}}""" + $"data: 3\nid: {ids[2]}\n\ndata: 4\nid: {ids[3]}\n\n",
            stage.Received(stage.Connect(ids[0])));

        // The event before the earliest is gone, and nothing after it is missing.
        Assert.Equal($"data: 3\nid: {ids[2]}\n\ndata: 4\nid: {ids[3]}\n\n", stage.Received(stage.Connect(ids[1])));
    }

    [Fact]
    public void The_id_of_a_gap_is_where_what_follows_begins()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2);
        var ids = Enumerable.Range(1, 4).Select(i => stage.Publish($"{i}")).ToList();
        var told = stage.Received(stage.Connect(ids[0]));
        var afterGap = told.Split("id: ")[1].Split('\n')[0];

        Assert.Equal(told[(told.IndexOf("\n\n", StringComparison.Ordinal) + 2)..], stage.Received(stage.Connect(afterGap)));
    }

    [Fact]
    public void After_a_gap_the_endpoint_may_go_on_live()
    {
        using var stage = new TopicStage();
        stage.Publish("1");
        var newest = stage.Publish("2");
        var client = stage.Connect("nobodys", options => options.OnGap = SseGapAction.Live);
        Assert.Equal($"event: gap\ndata: {{\"reason\":\"unknown\",\"requested\":\"nobodys\"}}\nid: {newest}\n\n", stage.Received(client));

        var id = stage.Publish("3");
        Assert.Equal($"data: 3\nid: {id}\n\n", stage.Received(client));
    }

    [Fact]
    public void A_snapshot_after_a_gap_gives_its_position_with_its_last_event_only()
    {
        using var stage = new TopicStage();
        var position = stage.Publish("1");
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var client = stage.Connect("nobodys", options => (options.OnGap, options.Snapshot) = (SseGapAction.Snapshot, (_, stop) => OrdersAsync(gate.Task, stop)));

        // The last event so far is held: it might be the last of all.
        Assert.Equal("event: gap\ndata: {\"reason\":\"unknown\",\"requested\":\"nobodys\"}\n\nevent: all\ndata: a\n\n", stage.Received(client));

        var meanwhile = stage.Publish("2");
        gate.SetResult();
        Assert.Equal($": counting\nevent: all\ndata: b\n\nevent: all\ndata: c\nid: {position}\n\ndata: 2\nid: {meanwhile}\n\n", stage.Received(client));
    }

    [Fact]
    public void A_new_client_may_start_with_a_snapshot_and_misses_nothing_that_was_published_since_it_was_begun()
    {
        using var stage = new TopicStage();
        var position = stage.Publish("1");
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var client = stage.Connect(configure: options => (options.Start, options.Snapshot) = (SseStart.Snapshot, (_, stop) => OrdersAsync(gate.Task, stop)));
        var meanwhile = stage.Publish("2");
        gate.SetResult();

        Assert.Equal(
            $"event: all\ndata: a\n\n: counting\nevent: all\ndata: b\n\nevent: all\ndata: c\nid: {position}\n\ndata: 2\nid: {meanwhile}\n\n",
            stage.Received(client));
    }

    [Fact]
    public void A_client_that_leaves_amid_a_snapshot_keeps_its_place_until_the_snapshot_s_step_is_over()
    {
        using var stage = new TopicStage();
        var snapshot = new HandSource(obeysToken: false);
        var client = stage.Connect(configure: options => (options.Start, options.Snapshot) = (SseStart.Snapshot, (_, _) => snapshot));

        client.Leave();
        stage.Settle();
        Assert.Equal(1, stage.Topics.CountSubscribers("orders"));
        Assert.False(snapshot.Disposed.IsCompleted);

        snapshot.End();
        stage.Settle();
        Assert.True(client.IsOver);
        Assert.Equal(0, stage.Topics.CountSubscribers("orders"));
        Assert.True(snapshot.Disposed.IsCompleted);
        Assert.False(snapshot.DisposedInStep);
    }

    [Fact]
    public void An_empty_snapshot_leaves_its_position_all_the_same()
    {
        using var stage = new TopicStage();
        var position = stage.Publish("1");

        var start = stage.Connect(configure: options => (options.Start, options.Snapshot) = (SseStart.Snapshot, (_, _) => NothingAsync()));
        Assert.Equal($"id: {position}\n\n", stage.Received(start));
        var gap = stage.Connect("nobodys", options => (options.OnGap, options.Snapshot) = (SseGapAction.Snapshot, (_, _) => NothingAsync()));
        Assert.Equal($"event: gap\ndata: {{\"reason\":\"unknown\",\"requested\":\"nobodys\"}}\nid: {position}\n\n", stage.Received(gap));
    }

    [Fact]
    public void An_event_with_an_id_in_a_snapshot_is_refused()
    {
        using var stage = new TopicStage();
        var client = stage.Connect(configure: options => (options.Start, options.Snapshot) = (SseStart.Snapshot, (_, _) => WithIdAsync()));

        var refused = Assert.IsType<InvalidOperationException>(client.Request.Exception?.InnerException);
        Assert.Contains("EventId", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no id at all")]
    [InlineData("a/b")]
    [InlineData("a,b")]
    [InlineData("\u00fc")]
    [InlineData("\"}\ndata: injected")]
    [InlineData("1234567890123456789012345678901234567890123456789012345678901234.")]
    public void What_can_be_no_id_of_a_topic_is_a_gap_that_does_not_repeat_it(string malformed)
    {
        using var stage = new TopicStage();
        var newest = stage.Publish("1");
        var client = stage.Connect(malformed, options => options.OnGap = SseGapAction.Live);

        Assert.Equal($"event: gap\ndata: {{\"reason\":\"malformed\"}}\nid: {newest}\n\n", stage.Received(client));
    }

    [Fact]
    public void An_id_of_a_megabyte_is_a_gap_like_any_other()
    {
        using var stage = new TopicStage();
        Assert.StartsWith("event: gap\ndata: {\"reason\":\"malformed\"}\nid: ", stage.Received(stage.Connect(new string('1', 1_000_000))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-")]
    [InlineData("-1")]
    [InlineData(".._")]
    [InlineData("{origin}")]
    [InlineData("{origin}-")]
    [InlineData("{origin}--1")]
    [InlineData("{origin}-01")]
    [InlineData("{origin}-1.0")]
    [InlineData("{origin}.1")]
    [InlineData("{origin}-3")]
    [InlineData("{origin}-99999999999999999999999999999")]
    [InlineData("x{origin}-1")]
    public void What_is_no_id_of_this_topic_is_an_unknown_one(string unknown)
    {
        using var stage = new TopicStage();
        stage.Publish("1");
        var newest = stage.Publish("2");
        var id = unknown.Replace("{origin}", newest.Split('-')[0], StringComparison.Ordinal);
        var client = stage.Connect(id, options => options.OnGap = SseGapAction.Live);

        Assert.Equal($"event: gap\ndata: {{\"reason\":\"unknown\",\"requested\":\"{id}\"}}\nid: {newest}\n\n", stage.Received(client));
    }

    [Fact]
    public void Several_headers_are_a_gap()
    {
        using var stage = new TopicStage();
        var id = stage.Publish("1");
        foreach (var headers in new string[][] { [id, id], [id, ""], ["", id], ["", ""] })
        {
            var client = stage.Connect(headers: headers, query: id);
            Assert.StartsWith("event: gap\ndata: {\"reason\":\"malformed\"}\n", stage.Received(client), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_header_wins_and_the_query_counts_without_it()
    {
        using var stage = new TopicStage();
        var first = stage.Publish("1");
        var second = stage.Publish("2");

        Assert.Equal($"data: 2\nid: {second}\n\n", stage.Received(stage.Connect(query: first)));
        Assert.Equal($"data: 2\nid: {second}\n\n", stage.Received(stage.Connect(headers: [""], query: first)));
        Assert.Equal("", stage.Received(stage.Connect(second, query: first)));
    }

    [Fact]
    public void A_position_that_was_rendered_into_a_page_is_where_its_stream_begins()
    {
        using var stage = new TopicStage();
        var ofEmpty = stage.Position();
        var first = stage.Publish("1");
        var ofOne = stage.Position();
        var second = stage.Publish("2");

        Assert.Equal(first, ofOne);
        Assert.Equal($"data: 1\nid: {first}\n\ndata: 2\nid: {second}\n\n", stage.Received(stage.Connect(query: ofEmpty)));
        Assert.Equal($"data: 2\nid: {second}\n\n", stage.Received(stage.Connect(query: ofOne)));
    }

    [Fact]
    public void An_id_of_another_topic_opens_no_door_to_it()
    {
        using var stage = new TopicStage();
        stage.Publish("public");
        var secret = stage.Publish("secret", "salaries");
        stage.Publish("more secret", "salaries");

        var received = stage.Received(stage.Connect(secret));
        Assert.StartsWith($"event: gap\ndata: {{\"reason\":\"unknown\",\"requested\":\"{secret}\"}}\n", received, StringComparison.Ordinal);
        Assert.Contains("data: public\n", received, StringComparison.Ordinal);
        Assert.DoesNotContain("secret\n", received, StringComparison.Ordinal);
    }

    [Fact]
    public void An_id_from_before_a_restart_is_a_gap_though_there_is_an_event_of_the_same_number()
    {
        string before;
        using (var stage = new TopicStage())
        {
            before = stage.Publish("1");
        }

        using var restarted = new TopicStage();
        var position = restarted.Position();
        var id = restarted.Publish("new 1");
        Assert.Equal(
            $"event: gap\ndata: {{\"reason\":\"unknown\",\"requested\":\"{before}\"}}\nid: {position}\n\ndata: new 1\nid: {id}\n\n",
            restarted.Received(restarted.Connect(before)));
    }

    [Fact]
    public void The_gap_has_the_type_that_the_app_or_the_endpoint_chose()
    {
        using var stage = new TopicStage(options => options.GapEventType = "hole");
        Assert.StartsWith("event: hole\n", stage.Received(stage.Connect("nobodys")), StringComparison.Ordinal);
        Assert.StartsWith("event: rift\n", stage.Received(stage.Connect("nobodys", options => options.GapEventType = "rift")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_too_slow_for_what_is_kept_is_told_in_mid_stream_and_goes_on()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 3);
        var client = stage.Connect();
        stage.Received(client);
        client.Stall();
        var ids = Enumerable.Range(1, 20).Select(i => stage.Publish($"{i}")).ToList();
        client.ReadOn();

        // It still gets what shares memory with where it stands.
        var received = stage.Received(client);
        var before = received.Split("event: gap")[0].Split("\n\n").Length - 1;
        Assert.InRange(before, 1, 16);
        Assert.Equal(
            string.Concat(ids.Take(before).Select((id, i) => $"data: {i + 1}\nid: {id}\n\n"))
            + $"event: gap\ndata: {{\"reason\":\"trimmed\",\"requested\":\"{ids[before - 1]}\"}}\nid: {ids[16]}\n\n"
            + $"data: 18\nid: {ids[17]}\n\ndata: 19\nid: {ids[18]}\n\ndata: 20\nid: {ids[19]}\n\n",
            received);
        Assert.False(client.IsOver);
    }

    private static async IAsyncEnumerable<SseEvent> OrdersAsync(Task gate, [EnumeratorCancellation] CancellationToken stop)
    {
        yield return new SseEvent("a", "all");
        yield return new SseEvent("b", "all");
        await gate;
        stop.ThrowIfCancellationRequested();
        yield return SseEvent.Comment("counting");
        yield return new SseEvent("c", "all");
    }

    private static async IAsyncEnumerable<SseEvent> NothingAsync()
    {
        await Task.Yield();
        yield break;
    }

    private static async IAsyncEnumerable<SseEvent> WithIdAsync()
    {
        await Task.CompletedTask;
        yield return new SseEvent("a") { EventId = "mine" };
    }
}
