using System.Text;
using SseKit.Topics;
using SseKit.Wire;

namespace SseKit.Tests.Topics;

public class CheckpointTests
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_whose_filter_lets_nothing_pass_is_told_the_newest_position_with_its_keep_alive(bool withStore)
    {
        using var stage = Stage(withStore);
        var client = stage.Connect(configure: OfMe);
        var start = stage.Position();
        Assert.Equal($"id: {start}\n\n", stage.Received(client));
        stage.Publish("1", key: "other");
        var second = stage.Publish("2", key: "other");

        Assert.Equal($"id: {second}\n\n", AfterKeepAlive(stage, client));

        // It has it now.
        Assert.Equal(":\n", AfterKeepAlive(stage, client));
        var third = stage.Publish("3", key: "me");
        Assert.Equal($"data: 3\nid: {third}\n\n", stage.Received(client));
        Assert.Equal(":\n", AfterKeepAlive(stage, client));
    }

    [Fact]
    public void A_client_that_is_told_nothing_but_its_position_comes_back_without_a_gap()
    {
        using var stage = Stage(kept: 3);
        var client = stage.Connect(configure: OfMe);
        stage.Received(client);
        var newest = "";
        for (var hour = 0; hour < 5; hour++)
        {
            for (var i = 0; i < 10; i++)
            {
                newest = stage.Publish($"{i}", key: "other");
            }

            Assert.Equal($"id: {newest}\n\n", AfterKeepAlive(stage, client));
        }

        client.Leave();
        stage.Settle();
        stage.Publish("1", key: "other");
        var mine = stage.Publish("2", key: "me");
        Assert.Equal($"data: 2\nid: {mine}\n\n", stage.Received(stage.Connect(newest, OfMe)));
    }

    [Fact]
    public void A_constant_flow_of_foreign_events_is_silence_to_a_client()
    {
        using var stage = Stage();
        var client = stage.Connect(configure: OfMe);
        stage.Received(client);
        var newest = "";
        for (var second = 0; second < 15; second++)
        {
            newest = stage.Publish($"{second}", key: "other");
            stage.Time.Advance(TimeSpan.FromSeconds(1));
            if (second < 13)
            {
                Assert.Equal("", stage.Received(client));
            }
        }

        Assert.Equal($"id: {newest}\n\n", stage.Received(client));
    }

    [Fact]
    public void A_position_never_sends_a_client_back()
    {
        using var stage = Stage();
        var client = stage.Connect(configure: OfMe);
        stage.Received(client);
        stage.Publish("1", key: "other");
        stage.Settle();
        var mine = stage.Publish("2", key: "me");
        Assert.Equal($"data: 2\nid: {mine}\n\n", stage.Received(client));
        Assert.Equal(":\n", AfterKeepAlive(stage, client));
    }

    [Fact]
    public void A_position_is_never_ahead_of_an_event_that_is_on_its_way()
    {
        using var stage = Stage();
        var client = stage.Connect(configure: OfMe);
        stage.Received(client);
        var foreign = stage.Publish("1", key: "other");
        client.Stall();
        var mine = stage.Publish("2", key: "me");
        stage.Publish("3", key: "other");
        var last = stage.Publish("4", key: "me");
        var behind = stage.Publish("5", key: "other");
        stage.Time.Advance(KeepAlive);
        stage.Settle();
        client.ReadOn();

        Assert.Equal($"data: 2\nid: {mine}\n\ndata: 4\nid: {last}\n\n", stage.Received(client));
        Assert.Equal($"id: {behind}\n\n", AfterKeepAlive(stage, client));
        Assert.NotEqual(foreign, behind);
    }

    [Fact]
    public void A_client_without_a_filter_gets_bare_keep_alives_once_it_has_its_position()
    {
        using var stage = Stage();
        Action<SseStreamOptions> all = options => options.SendCheckpoints = true;
        var client = stage.Connect(configure: all);
        stage.Received(client);
        Assert.Equal(":\n", AfterKeepAlive(stage, client));
        stage.Publish("1");
        stage.Received(client);
        Assert.Equal(":\n", AfterKeepAlive(stage, client));

        // It begins without its position, so it is told with the first of them.
        var untold = stage.Connect(configure: options => (options.SendCheckpoints, options.SendStartPosition) = (true, false));
        Assert.Equal("", stage.Received(untold));
        Assert.Equal($"id: {stage.Position()}\n\n", AfterKeepAlive(stage, untold));
        Assert.Equal(":\n", AfterKeepAlive(stage, untold));
    }

    [Fact]
    public void Without_being_asked_for_nobody_is_told()
    {
        using var stage = Stage();
        var client = stage.Connect(configure: options => options.Filter = _ => _ => false);
        stage.Received(client);
        stage.Publish("1");
        Assert.Equal(":\n", AfterKeepAlive(stage, client));
    }

    [Theory]
    [InlineData(true, null, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, true)]
    public void A_stream_s_choice_beats_the_app_s(bool app, bool? stream, bool told)
    {
        using var stage = new TopicStage(options => (options.SendCheckpoints, options.KeepAliveInterval) = (app, KeepAlive));
        var client = stage.Connect(configure: options => (options.SendCheckpoints, options.Filter) = (stream, _ => _ => false));
        stage.Received(client);
        var id = stage.Publish("1");
        Assert.Equal(told ? $"id: {id}\n\n" : ":\n", AfterKeepAlive(stage, client));
    }

    [Fact]
    public void Who_pages_through_a_store_is_told_where_it_came_to()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 2, new SlowPagingBacklog { PageSize = asked => Math.Min(asked, 4) });
        var first = stage.Publish("0", key: "me");
        var newest = "";
        for (var i = 0; i < 20; i++)
        {
            newest = stage.Publish($"{i}", key: "other");
        }

        var client = stage.Connect(first, OfMe);
        Assert.Equal("", stage.Received(client));
        Assert.Equal($"id: {newest}\n\n", AfterKeepAlive(stage, client));
    }

    [Fact]
    public void What_a_client_was_told_counts_until_it_is_given_another_id()
    {
        var topic = new MemoryTopic("orders", new TopicRetention(10, 10_000, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var reader = new LogCursor(topic);
        reader.MoveTo(topic.Newest());
        topic.Append("data: 1\n"u8, null);
        var selection = new Selection(_ => false, checkpoints: true);
        Assert.Equal(CursorRead.Empty, reader.Read(out _, selection));

        Assert.Equal($"id: {reader.Id}\n\n", Told());
        Assert.Null(Told());
        selection.Forget("event: typing\ndata: id: 1\n\n"u8);
        Assert.Null(Told());

        // As after a gap behind which it was brought back to where it stands.
        selection.Forget("event: gap\ndata: {}\nid: older\n\n"u8);
        Assert.NotNull(Told());

        string? Told()
        {
            selection.StandAt(reader);
            var buffer = ScratchFrames.Rent();
            return selection.TryWriteCheckpoint(buffer) ? Encoding.UTF8.GetString(buffer.ReturnAsArray()) : null;
        }
    }

    private static TopicStage Stage(bool withStore = false, int kept = 1_000) =>
        new(options => (options.MaxEventsPerTopic, options.KeepAliveInterval) = (kept, KeepAlive), withStore ? new SlowPagingBacklog(kept) : null);

    private static void OfMe(SseStreamOptions options)
    {
        options.SendCheckpoints = true;
        options.Filter = _ => item => item.Key == "me";
    }

    private static string AfterKeepAlive(TopicStage stage, CapturedConnection client)
    {
        stage.Time.Advance(KeepAlive);
        return stage.Received(client);
    }
}
