namespace SseKit.Tests.Topics;

/// <summary>Topics that live in a store of their own, with this node's copy in front of it.</summary>
public class StoreTests
{
    [Fact]
    public void A_client_too_slow_for_this_nodes_copy_reads_from_the_store_and_misses_nothing()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2, new SlowPagingBacklog());
        var client = stage.Connect();
        stage.Received(client);
        client.Stall();
        var ids = Enumerable.Range(1, 20).Select(i => stage.Publish($"{i}")).ToList();
        client.ReadOn();

        Assert.Equal(string.Concat(ids.Select((id, i) => $"data: {i + 1}\nid: {id}\n\n")), stage.Received(client));
    }

    [Fact]
    public void A_client_that_comes_back_with_an_old_id_pages_through_the_store_to_the_live_end()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2, new SlowPagingBacklog());
        var ids = Enumerable.Range(1, 20).Select(i => stage.Publish($"{i}")).ToList();

        var client = stage.Connect(ids[0]);
        ids.Add(stage.Publish("21"));
        Assert.Equal(string.Concat(ids.Select((id, i) => $"data: {i + 1}\nid: {id}\n\n").Skip(1)), stage.Received(client));
    }

    [Fact]
    public void A_client_that_pages_more_slowly_than_the_store_trims_is_told_where_it_was()
    {
        var store = new SlowPagingBacklog();

        // The node keeps less than the store, so that the client has to page.
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2, store);
        var ids = Enumerable.Range(1, 20).Select(i => stage.Publish($"{i}")).ToList();
        var pages = 0;
        store.PageSize = _ =>
        {
            if (++pages == 5)
            {
                store.Trim("orders", 2);
            }

            return 1;
        };

        var told = stage.Received(stage.Connect(ids[0])).Split("event: gap\n");
        var last = told[0].Split("\n\n").Length - 1;
        Assert.InRange(last, 1, 5);
        Assert.Equal(
            $"data: {{\"reason\":\"trimmed\",\"requested\":\"{ids[last]}\"}}\nid: {ids[17]}\n\ndata: 19\nid: {ids[18]}\n\ndata: 20\nid: {ids[19]}\n\n",
            told[1]);
    }

    [Fact]
    public void A_bell_that_was_missed_is_made_up_for_by_the_poll()
    {
        using var stage = new TopicStage(options => options.BacklogPollInterval = TimeSpan.FromSeconds(7), new SlowPagingBacklog { Rings = () => false });
        var client = stage.Connect();
        stage.Received(client);
        var id = stage.Publish("1");
        Assert.Equal("", stage.Received(client));

        stage.Time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal("", stage.Received(client));
        stage.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal($"data: 1\nid: {id}\n\n", stage.Received(client));
    }

    [Fact]
    public void A_client_that_is_ahead_of_this_node_brings_the_node_up_to_date()
    {
        using var stage = new TopicStage(store: new SlowPagingBacklog { Rings = () => false });
        var waiting = stage.Connect();
        stage.Received(waiting);
        var id = stage.Publish("1");
        Assert.Equal("", stage.Received(waiting));

        Assert.Equal("", stage.Received(stage.Connect(id)));
        Assert.Equal($"data: 1\nid: {id}\n\n", stage.Received(waiting));
    }

    [Fact]
    public void An_event_that_comes_while_the_store_is_asked_is_not_slept_through()
    {
        var store = new SlowPagingBacklog { Rings = () => false };
        using var stage = new TopicStage(store: store);
        stage.Connect();
        var first = stage.Publish("1");

        // This client is ahead of the node; the store's answer to it is held up until the node is ahead of the answer.
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        store.Pause = async (moment, _) => await (moment == SlowPagingBacklog.Moment.AfterRead ? answer.Task : Task.CompletedTask);
        var client = stage.Connect(first);
        store.Pause = (_, _) => default;
        var second = stage.Publish("2");
        store.Ring("orders");
        stage.Settle();
        answer.SetResult();

        Assert.Equal($"data: 2\nid: {second}\n\n", stage.Received(client));
    }

    [Fact]
    public void Clients_of_a_store_that_failed_over_are_told_what_was_lost()
    {
        var store = new SlowPagingBacklog();
        using var stage = new TopicStage(store: store);
        var first = stage.Publish("1");
        var client = stage.Connect(first);
        var second = stage.Publish("2");
        var third = stage.Publish("3");
        Assert.Equal($"data: 2\nid: {second}\n\ndata: 3\nid: {third}\n\n", stage.Received(client));

        store.FailOver(lost: 2);
        var instead = stage.Publish("instead");
        var origin = stage.Backlog is SlowPagingBacklog same ? same.Look("orders", null, 1).Entries[0].PreviousId : "";
        Assert.Equal(
            $"event: gap\ndata: {{\"reason\":\"lost\",\"requested\":\"{third}\"}}\nid: {origin}\n\ndata: 1\nid: {first}\n\ndata: instead\nid: {instead}\n\n",
            stage.Received(client));
    }

    [Fact]
    public void Clients_of_a_store_that_was_wiped_are_told_at_the_next_look()
    {
        var store = new SlowPagingBacklog();
        using var stage = new TopicStage(store: store);
        var id = stage.Publish("1");
        var client = stage.Connect(id);
        store.Wipe();
        stage.Time.Advance(TimeSpan.FromSeconds(5));

        var origin = store.Look("orders", null, 0).Head;
        Assert.Equal($"event: gap\ndata: {{\"reason\":\"lost\",\"requested\":\"{id}\"}}\nid: {origin}\n\n", stage.Received(client));
    }

    [Fact]
    public void A_store_that_cant_be_read_ends_a_new_stream_so_that_the_client_comes_back()
    {
        var store = new SlowPagingBacklog();
        using var stage = new TopicStage(store: store);
        var id = stage.Publish("1");
        store.Pause = (moment, _) => moment == SlowPagingBacklog.Moment.BeforeRead ? throw new TimeoutException() : default;
        foreach (var client in new[] { stage.Connect(), stage.Connect(id) })
        {
            Assert.Matches("^retry: [0-9]+\n$", stage.Received(client));
            Assert.True(client.Request.IsCompletedSuccessfully);
        }

        store.Pause = (_, _) => default;
        var second = stage.Publish("2");
        Assert.Equal($"data: 2\nid: {second}\n\n", stage.Received(stage.Connect(id)));
    }

    [Fact]
    public void Live_clients_stay_while_the_store_cant_be_read_and_get_everything_when_it_can()
    {
        var store = new SlowPagingBacklog();
        using var stage = new TopicStage(store: store);
        var client = stage.Connect();
        stage.Received(client);
        store.Pause = (moment, _) => moment == SlowPagingBacklog.Moment.AfterRead ? throw new TimeoutException() : default;
        var id = stage.Publish("1");
        Assert.Equal("", stage.Received(client));
        Assert.False(client.IsOver);

        store.Pause = (_, _) => default;
        stage.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal($"data: 1\nid: {id}\n\n", stage.Received(client));
    }

    [Fact]
    public void What_the_store_throws_at_a_publish_reaches_the_publisher()
    {
        var store = new SlowPagingBacklog { Pause = (_, _) => throw new TimeoutException("the store is down") };
        using var stage = new TopicStage(store: store);
        Assert.Equal("the store is down", Assert.Throws<TimeoutException>(() => stage.Publish("1")).Message);
    }

    [Fact]
    public void A_client_that_leaves_while_the_store_is_being_opened_is_let_go()
    {
        var never = new TaskCompletionSource();
        var store = new SlowPagingBacklog { Pause = (_, stop) => new ValueTask(never.Task.WaitAsync(stop)) };
        using var stage = new TopicStage(store: store);
        var client = stage.Connect();
        var other = stage.Connect();
        Assert.False(client.IsOver);
        client.Leave();
        stage.Settle();

        Assert.True(client.Request.IsCompletedSuccessfully);
        Assert.False(other.IsOver);
    }

    [Fact]
    public void One_reader_serves_all_clients_of_a_topic_and_ends_with_the_last()
    {
        var reads = 0;
        var store = new SlowPagingBacklog();
        using var stage = new TopicStage(store: store);
        var clients = Enumerable.Range(0, 50).Select(_ => stage.Connect()).ToList();
        Assert.Equal(1, store.Watches);
        store.Pause = (moment, _) =>
        {
            reads += moment == SlowPagingBacklog.Moment.BeforeRead ? 1 : 0;
            return default;
        };
        stage.Publish("1");
        Assert.All(clients, client => Assert.Contains("data: 1\n", stage.Received(client), StringComparison.Ordinal));
        Assert.InRange(reads, 1, 3);

        foreach (var client in clients)
        {
            Assert.Equal(1, store.Watches);
            client.Leave();
            stage.Settle();
        }

        Assert.Equal(0, store.Watches);
    }
}
