using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

public class EphemeralTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_ephemeral_event_reaches_who_listens_without_an_id_and_nobody_later(bool withStore)
    {
        using var stage = Stage(withStore);
        var first = stage.Connect();
        var second = stage.Connect();
        var start = stage.Position();
        stage.Received(first);
        stage.Received(second);
        Send(stage, new SseEvent("Ann", "typing") { ReconnectionInterval = TimeSpan.FromSeconds(1) });

        Assert.Equal("event: typing\nretry: 1000\ndata: Ann\n\n", stage.Received(first));
        Assert.Equal("event: typing\nretry: 1000\ndata: Ann\n\n", stage.Received(second));
        Assert.Equal(start, stage.Position());
        Assert.Equal("", stage.Received(stage.Connect(start)));
        Assert.Equal($"id: {start}\n\n", stage.Received(stage.Connect(configure: options => options.Start = SseStart.Earliest)));
        Assert.Empty(stage.Run(stage.Backlog.ReadAsync("orders", null, 10, Stop)).Entries);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void It_comes_between_what_was_published_before_it_and_after_it(bool withStore)
    {
        using var stage = Stage(withStore);
        var client = stage.Connect();
        stage.Received(client);
        client.Stall();
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            ids.Add(stage.Publish($"{i}"));
            Send(stage, $"after {i}");
            Send(stage, $"and {i}");
        }

        client.ReadOn();
        Assert.Equal(string.Concat(ids.Select((id, i) => $"data: {i}\nid: {id}\n\ndata: after {i}\n\ndata: and {i}\n\n")), stage.Received(client));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_kept_stays_whole_and_resumes_beside_it(bool withStore)
    {
        using var stage = Stage(withStore);
        var client = stage.Connect();
        Send(stage, "a");
        var first = stage.Publish("1");
        Send(stage, "b");
        Assert.EndsWith($"data: a\n\ndata: 1\nid: {first}\n\ndata: b\n\n", stage.Received(client), StringComparison.Ordinal);
        client.Leave();
        var second = stage.Publish("2");
        Send(stage, "c");

        Assert.Equal($"data: 2\nid: {second}\n\n", stage.Received(stage.Connect(first)));
    }

    [Fact]
    public void A_client_that_stalls_misses_the_older_ones_and_nothing_of_what_is_kept()
    {
        using var stage = Stage();
        var client = stage.Connect();
        stage.Received(client);
        client.Stall();
        Send(stage, "0");
        var ids = new List<string>();
        for (var i = 1; i <= 200; i++)
        {
            ids.Add(stage.Publish($"kept {i}"));
            Send(stage, $"{i}");
        }

        client.ReadOn();
        var blocks = stage.Received(client).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(ids.Select((id, i) => $"data: kept {i + 1}\nid: {id}"), blocks.Where(block => block.StartsWith("data: kept", StringComparison.Ordinal)));

        // The one that was on its way when it stalled, and the newest, each in its place.
        var heard = blocks.Where(block => !block.StartsWith("data: kept", StringComparison.Ordinal)).ToList();
        Assert.Equal(["data: 0", .. Enumerable.Range(200 - 63, 64).Select(i => $"data: {i}")], heard);
        Assert.All(heard.Skip(1), block => Assert.StartsWith($"data: kept {block["data: ".Length..]}\n", blocks[Array.IndexOf(blocks, block) - 1], StringComparison.Ordinal));
    }

    [Fact]
    public void Large_ones_push_out_older_ones_sooner()
    {
        using var stage = Stage();
        var client = stage.Connect();
        stage.Received(client);
        client.Stall();
        Send(stage, "0");
        for (var i = 1; i <= 5; i++)
        {
            Send(stage, $"{i}{new string('x', 30_000)}");
        }

        // The first was taken before the client was found to stall.
        Assert.Equal(["0", "4", "5"], Heard());
        client.Stall();
        for (var i = 0; i < 4; i++)
        {
            Send(stage, $"{i}{new string('x', i == 3 ? 100_000 : 10)}");
        }

        // The newest is kept however large.
        Assert.Equal(["0", "3"], Heard());

        IEnumerable<string> Heard()
        {
            client.ReadOn();
            return stage.Received(client).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(block => block[6..7]);
        }
    }

    [Fact]
    public void Filters_see_its_type_and_key()
    {
        using var stage = Stage();
        var client = stage.Connect(configure: options => options.Filter = _ => item => item is { EventType: "typing", Key: "room 1" });
        stage.Received(client);
        for (var i = 0; i < 200; i++)
        {
            Send(stage, new SseEvent("no", "typing") { Key = "room 2" });
            Send(stage, new SseEvent("no") { Key = "room 1" });
        }

        Send(stage, new SseEvent("yes", "typing") { Key = "room 1" });
        Assert.Equal("event: typing\ndata: yes\n\n", stage.Received(client));
    }

    [Fact]
    public void A_filter_that_skips_what_is_kept_around_it_does_not_skip_it()
    {
        using var stage = Stage();
        var client = stage.Connect(configure: options => options.Filter = _ => item => item.Key == "me");
        stage.Received(client);
        client.Stall();
        stage.Publish("0", key: "me");
        for (var i = 0; i < 20; i++)
        {
            stage.Publish(new string('x', 100), key: "other");
            Send(stage, new SseEvent($"{i}") { Key = "me" });
            stage.Publish(new string('x', 100), key: "other");
        }

        client.ReadOn();
        Assert.Equal(
            Enumerable.Range(0, 20).Select(i => $"data: {i}"), stage.Received(client).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Skip(1));
    }

    [Fact]
    public void A_reader_inside_the_app_gets_it_without_an_id()
    {
        using var stage = Stage();
        using var stop = new CancellationTokenSource();
        var reading = stage.Topics.SubscribeAsync("orders", cancellationToken: stop.Token).GetAsyncEnumerator(stop.Token);
        var next = reading.MoveNextAsync();
        stage.Settle();
        Send(stage, new SseEvent("Ann", "typing"));

        Assert.True(stage.Run(next));
        Assert.Equal(("Ann", "typing", null), (reading.Current.Data, reading.Current.EventType, reading.Current.EventId));
        stop.Cancel();
        Assert.False(stage.Run(reading.MoveNextAsync()));
        stage.Run(DisposeAsync());

        async ValueTask<bool> DisposeAsync()
        {
            await reading.DisposeAsync();
            return true;
        }
    }

    [Fact]
    public void A_position_that_was_told_is_not_told_again_after_it()
    {
        using var stage = Stage();
        var client = stage.Connect(configure: options => (options.SendCheckpoints, options.Filter) = (true, _ => item => item.Key == "me"));
        stage.Received(client);
        var foreign = stage.Publish("1", key: "other");
        Send(stage, new SseEvent("a") { Key = "me" });
        Assert.Equal("data: a\n\n", stage.Received(client));
        stage.Time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal($"id: {foreign}\n\n", stage.Received(client));
        Send(stage, new SseEvent("b") { Key = "me" });
        stage.Time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal("data: b\n\n:\n", stage.Received(client).Replace(":\n:\n", ":\n", StringComparison.Ordinal));
    }

    [Fact]
    public void Where_nobody_listens_nothing_is_left_of_it()
    {
        using var stage = new TopicStage(options => options.MaxTopics = 1);
        stage.Publish("1");
        Send(stage, "a", "another");
        var backlog = (InMemoryBacklog)stage.Backlog;
        Send(stage, "a");
        var log = backlog.Attach("orders");
        Assert.Null(log.Ephemerals);
        backlog.Detach(log);
    }

    [Fact]
    public void It_may_carry_no_id_and_be_no_comment()
    {
        using var stage = Stage();
        Assert.Throws<ArgumentException>("item", () => Send(stage, new SseEvent("a") { EventId = "1" }));
        Assert.Throws<ArgumentException>("item", () => Send(stage, SseEvent.Comment("a")));
        Assert.Throws<ArgumentException>("topic", () => Send(stage, "a", ""));
        Assert.ThrowsAny<OperationCanceledException>(() => stage.Topics.PublishEphemeralAsync("orders", "a", new CancellationToken(canceled: true)).AsTask().GetAwaiter().GetResult());
    }

    [Fact]
    public void A_store_that_can_not_pass_it_on_is_named_with_the_cure()
    {
        using var stage = new TopicStage(store: new SlowPagingBacklog());
        var refused = Assert.Throws<NotSupportedException>(() => Send(stage, "a"));

        Assert.Contains(nameof(SlowPagingBacklog), refused.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(ISseRelay), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void It_reaches_the_clients_of_other_nodes()
    {
        var store = new RelayingBacklog(new SlowPagingBacklog());
        using var sender = new TopicStage(store: store);
        using var stage = new TopicStage(store: store);
        var client = stage.Connect();
        stage.Received(client);
        Send(sender, new SseEvent("Ann", "typing") { Key = "k" });

        Assert.Equal("event: typing\ndata: Ann\n\n", stage.Received(client));
        client.Leave();
        stage.Settle();
        Assert.Equal(0, store.Listeners);
    }

    [Fact]
    public void A_node_need_not_look_at_the_store_for_it()
    {
        var reads = 0;
        var slow = new SlowPagingBacklog();
        using var stage = new TopicStage(store: new RelayingBacklog(slow));
        var client = stage.Connect();
        stage.Received(client);
        slow.Pause = (moment, _) =>
        {
            reads += moment == SlowPagingBacklog.Moment.BeforeRead ? 1 : 0;
            return default;
        };
        Send(stage, "a");

        Assert.Equal("data: a\n\n", stage.Received(client));
        Assert.Equal(0, reads);
    }

    [Fact]
    public void A_store_that_stands_still_holds_up_no_more_of_them_than_there_is_room_for()
    {
        var slow = new SlowPagingBacklog();
        var relay = new RelayingBacklog(slow);
        using var stage = new TopicStage(store: relay);
        var client = stage.Connect();
        stage.Received(client);
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        slow.Pause = async (_, _) => await answer.Task;
        slow.Ring("orders");
        stage.Settle();
        var first = SendOne(relay);
        for (var i = 0; i < 200; i++)
        {
            Send(stage, $"{i}");
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(first.IsAlive);
        Assert.Equal("", stage.Received(client));
        answer.SetResult();
        Assert.Equal(string.Concat(Enumerable.Range(200 - 64, 64).Select(i => $"data: {i}\n\n")), stage.Received(client));
    }

    [Fact]
    public void Who_has_not_heard_the_newest_does_not_wait()
    {
        var topic = new MemoryTopic("orders", new TopicRetention(10, 10_000, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var reader = new AwaitedCursor(topic);
        reader.MoveTo(topic.Newest());
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(CursorRead.Empty, reader.Read(out _));
            topic.AddEphemeral("data: a\n"u8, null, null);
            Assert.True(reader.WaitAsync().IsCompleted);
            Assert.Equal(CursorRead.Frames, reader.Read(out _));
        }
    }

    [Fact]
    public void A_reader_that_stands_still_keeps_none_that_came_later()
    {
        var topic = new MemoryTopic("orders", new TopicRetention(10, 10_000, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var reader = new AwaitedCursor(topic);
        reader.MoveTo(topic.Newest());
        topic.AddEphemeral("data: a\n"u8, null, null);
        Assert.Equal(CursorRead.Frames, reader.Read(out _));
        var later = SendOne(topic);
        for (var i = 0; i < 100; i++)
        {
            topic.AddEphemeral("data: c\n"u8, null, null);
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(later.IsAlive);
        Assert.Equal(CursorRead.Frames, reader.Read(out var frames));
        Assert.Equal("data: c\n\n", Encoding.UTF8.GetString(frames.Span));
    }

    [Fact]
    public async Task Readers_beside_senders_hear_in_order_and_miss_nothing_that_is_kept()
    {
        const int Count = 20_000;
        var topic = new MemoryTopic("orders", new TopicRetention(Count, long.MaxValue, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var readers = Enumerable.Range(0, 4).Select(_ => new AwaitedCursor(topic)).ToList();
        readers.ForEach(reader => reader.MoveTo(topic.Newest()));
        var reading = readers.Select(reader => Task.Run(() => ReadAsync(reader), Stop)).ToList();
        for (var i = 1; i <= Count; i++)
        {
            topic.Append(Encoding.UTF8.GetBytes($"data: {i}\n"), null);
            topic.AddEphemeral(Encoding.UTF8.GetBytes($"data: after {i}\n"), null, null);
        }

        await Task.WhenAll(reading).WaitAsync(TimeSpan.FromSeconds(60), Stop);

        static async Task ReadAsync(AwaitedCursor reader)
        {
            int kept = 0, heard = 0;
            while (heard < Count)
            {
                if (reader.Read(out var frames) != CursorRead.Frames)
                {
                    await reader.WaitAsync().WaitAsync(TimeSpan.FromSeconds(60), Stop);
                    continue;
                }

                foreach (var block in Encoding.UTF8.GetString(frames.Span).Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
                {
                    var words = block.Split('\n')[0].Split(' ');
                    if (words.Length == 2)
                    {
                        Assert.Equal(++kept, int.Parse(words[1], CultureInfo.InvariantCulture));
                    }
                    else
                    {
                        var number = int.Parse(words[2], CultureInfo.InvariantCulture);
                        Assert.True(number > heard, $"{number} came after {heard}.");
                        Assert.Equal(kept, number);
                        heard = number;
                    }
                }
            }

            Assert.Equal(Count, kept);
        }
    }

    private static TopicStage Stage(bool withStore = false) => new(store: withStore ? new RelayingBacklog(new SlowPagingBacklog()) : null);

    private static void Send(TopicStage stage, SseEvent item, string topic = "orders")
    {
        var sent = stage.Topics.PublishEphemeralAsync(topic, item, Stop);
        stage.Settle();
        Assert.True(sent.IsCompletedSuccessfully);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference SendOne(RelayingBacklog relay)
    {
        var frame = "data: a\n"u8.ToArray();
        var sent = relay.SendAsync("orders", new SseAppend { Frame = frame }, Stop);
        Assert.True(sent.IsCompletedSuccessfully);
        return new WeakReference(frame);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference SendOne(TopicLog topic)
    {
        topic.AddEphemeral("data: b\n"u8, null, null);
        return new WeakReference(topic.NewestEphemeral());
    }
}
