using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SseKit.Tests.Topics;

public class PublishTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> BadNames => new()
    {
        { "", "empty" },
        { new string('a', 257), "too long" },
        { new string('\u00fc', 128) + "a", "too long" },
        { string.Concat(Enumerable.Repeat("\U0001F986", 65)), "too long" },
        { "a\nb", "U+000A" },
        { "a\0", "U+0000" },
        { "\u007f", "U+007F" },
        { "a\u0085", "U+0085" },
    };

    [Theory]
    [MemberData(nameof(BadNames))]
    public void A_topic_name_outside_the_rules_is_refused_by_everything_that_takes_one(string name, string why)
    {
        using var stage = new TopicStage();
        AssertRefused(stage, name, why);
    }

    // Not among the others: what reports test cases can't carry half a character.
    [Theory]
    [InlineData(0xD83E)]
    [InlineData(0xDD86)]
    public void Half_a_character_in_a_topic_name_is_refused(int surrogate)
    {
        using var stage = new TopicStage();
        AssertRefused(stage, "a" + (char)surrogate, "lone surrogate at position 1");
        AssertRefused(stage, (char)surrogate + "a", "lone surrogate at position 0");
    }

    [Theory]
    [InlineData("a", 256)]
    [InlineData("\u00fc", 128)]
    [InlineData("\U0001F986", 64)]
    [InlineData(" ", 1)]
    [InlineData("orders/{id}?a=b#c", 1)]
    public void Everything_else_up_to_256_bytes_is_a_topic(string text, int times)
    {
        using var stage = new TopicStage();
        var name = string.Concat(Enumerable.Repeat(text, times));
        var id = stage.Publish("1", name);
        Assert.Equal(id, stage.Position(name));
    }

    [Fact]
    public void Topic_names_are_compared_ordinally()
    {
        using var stage = new TopicStage();
        stage.Publish("1", "\u00e9");
        Assert.Equal(3, new[] { stage.Position("\u00e9"), stage.Position("e\u0301"), stage.Position("\u00c9") }.Distinct().Count());
    }

    [Fact]
    public void An_event_with_an_id_or_a_comment_is_refused_and_nothing_is_published()
    {
        using var stage = new TopicStage();
        var before = stage.Position();

        var id = Assert.Throws<ArgumentException>(() => stage.Run(stage.Topics.PublishAsync("orders", new SseEvent("1") { EventId = "7" }, Stop)));
        Assert.Contains("EventId", id.Message, StringComparison.Ordinal);
        var empty = Assert.Throws<ArgumentException>(() => stage.Run(stage.Topics.PublishAsync("orders", new SseEvent("1") { EventId = "" }, Stop)));
        Assert.Contains("EventId", empty.Message, StringComparison.Ordinal);
        var comment = Assert.Throws<ArgumentException>(() => stage.Run(stage.Topics.PublishAsync("orders", SseEvent.Comment("hello"), Stop)));
        Assert.Contains("comment", comment.Message, StringComparison.Ordinal);
        Assert.Equal(before, stage.Position());
    }

    [Fact]
    public void A_publish_that_is_cancelled_beforehand_publishes_nothing()
    {
        using var stage = new TopicStage();
        var before = stage.Position();
        Assert.ThrowsAny<OperationCanceledException>(() => stage.Run(stage.Topics.PublishAsync("orders", "1", new CancellationToken(canceled: true))));
        Assert.Equal(before, stage.Position());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_id_that_a_publish_returns_is_the_one_that_subscribers_see(bool withStore)
    {
        using var stage = new TopicStage(store: withStore ? new SlowPagingBacklog() : null);
        var client = stage.Connect();
        stage.Received(client);
        var id = stage.Publish("1");

        Assert.Equal($"data: 1\nid: {id}\n\n", stage.Received(client));
        Assert.Equal(id, stage.Position());
        Assert.Matches("^[0-9A-Za-z._-]{1,64}$", id);
    }

    [Fact]
    public void A_published_event_keeps_its_type_and_its_retry()
    {
        using var stage = new TopicStage();
        var client = stage.Connect();
        stage.Received(client);
        var id = stage.Run(stage.Topics.PublishAsync(
            "orders", new SseEvent("a\nb", "created") { ReconnectionInterval = TimeSpan.FromSeconds(2) }, Stop));

        Assert.Equal($"event: created\nretry: 2000\ndata: a\ndata: b\nid: {id}\n\n", stage.Received(client));
    }

    [Fact]
    public void Awaited_publishes_keep_their_order()
    {
        using var stage = new TopicStage(store: new SlowPagingBacklog());
        var client = stage.Connect();
        stage.Received(client);
        var publishing = PublishAsync();
        stage.Settle();

        Assert.True(publishing.IsCompletedSuccessfully);
        Assert.Equal(
            Enumerable.Range(0, 50).Select(i => $"data: {i}"),
            stage.Received(client).Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)));

        async Task PublishAsync()
        {
            for (var i = 0; i < 50; i++)
            {
                await stage.Topics.PublishAsync("orders", $"{i}", Stop);
            }
        }
    }

    [Fact]
    public void A_value_that_is_changed_while_the_store_is_slow_is_published_as_it_was()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var store = new SlowPagingBacklog { Pause = async (moment, _) => await (moment == SlowPagingBacklog.Moment.BeforeAppend ? gate.Task : Task.CompletedTask) };
        using var stage = new TopicStage(store: store);
        var client = stage.Connect();
        stage.Received(client);
        var order = new Order { Name = "before" };
        var bytes = Encoding.UTF8.GetBytes("before");
        var json = stage.Topics.PublishAsync("orders", SseEvent.Json(order), Stop);
        order.Name = "after";
        gate.SetResult();
        stage.Run(json);
        stage.Run(stage.Topics.PublishAsync("orders", SseEvent.Utf8(bytes), Stop));
        "after."u8.CopyTo(bytes);

        var received = stage.Received(client);
        Assert.Contains("data: {\"name\":\"before\"}\n", received, StringComparison.Ordinal);
        Assert.Contains("data: before\n", received, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_that_cant_be_written_fails_its_publish_and_no_other()
    {
        using var stage = new TopicStage();
        var before = stage.Position();
        Assert.ThrowsAny<Exception>(() => stage.Run(stage.Topics.PublishAsync("orders", SseEvent.Json(new Failing()), Stop)));
        Assert.Equal(before, stage.Position());
        stage.Publish("1");
        Assert.Contains("data: 1\n", stage.Received(stage.Connect(before)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_value_for_a_thousand_subscribers_is_serialized_once(bool withStore)
    {
        var converter = new CountingConverter();
        var json = new JsonSerializerOptions(JsonSerializerDefaults.Web) { Converters = { converter } };
        using var stage = new TopicStage(options => options.JsonSerializerOptions = json, withStore ? new SlowPagingBacklog() : null);
        var clients = Enumerable.Range(0, 1_000).Select(_ => stage.Connect()).ToList();
        var late = stage.Position();
        stage.Run(stage.Topics.PublishAsync("orders", SseEvent.Json(new Order { Name = "only once" }), Stop));

        Assert.All(clients, client => Assert.Contains("data: \"only once\"\n", stage.Received(client), StringComparison.Ordinal));
        Assert.Contains("data: \"only once\"\n", stage.Received(stage.Connect(late)), StringComparison.Ordinal);
        Assert.Equal(1, converter.Written);
    }

    [Fact]
    public void A_topic_keeps_as_many_events_as_it_may()
    {
        using var stage = new TopicStage(options => options.MaxEventsPerTopic = 7);
        for (var i = 1; i <= 50; i++)
        {
            stage.Publish("1");
            Assert.Equal(Math.Min(i, 7), Kept(stage).Count);
        }
    }

    [Fact]
    public void A_topic_keeps_as_many_bytes_as_it_may_and_its_newest_event_however_large()
    {
        using var stage = new TopicStage(options => options.MaxBytesPerTopic = 2_048);
        var kept = new Queue<int>();
        for (var i = 1; i <= 200; i++)
        {
            var data = new string('x', i * 7 % 600);
            var key = i % 3 == 0 ? "" : new string('k', i);
            var id = stage.Run(stage.Topics.PublishAsync("orders", new SseEvent(data) { Key = key }, TestContext.Current.CancellationToken));

            // A key is kept as it is, in two bytes a character.
            kept.Enqueue($"data: {data}\nid: {id}\n\n".Length + (2 * key.Length));
            while (kept.Sum() > 2_048)
            {
                kept.Dequeue();
            }

            Assert.Equal(kept.Count, Kept(stage).Count);
        }

        stage.Publish(new string('x', 100_000));
        Assert.Equal(100_007, Assert.Single(Kept(stage)).Frame.Length);
        stage.Publish("1");
        Assert.Single(Kept(stage));
    }

    [Fact]
    public void By_default_a_topic_keeps_a_thousand_events_or_a_mebibyte()
    {
        using var stage = new TopicStage();
        for (var i = 0; i < 1_100; i++)
        {
            stage.Publish("1", "small");
            stage.Publish(new string('x', 2_000), "large");
        }

        Assert.Equal(1_000, Kept(stage, "small").Count);
        Assert.InRange(Kept(stage, "large").Sum(entry => entry.Frame.Length), 1024 * 1024 * 95 / 100, 1024 * 1024);
    }

    [Fact]
    public void One_topic_too_many_fails_by_name()
    {
        using var stage = new TopicStage(options => options.MaxTopics = 3);
        var kept = Enumerable.Range(0, 3).Select(i => stage.Publish("1", $"topic{i}")).ToList();

        var refused = Assert.Throws<InvalidOperationException>(() => stage.Publish("1", "one more"));
        Assert.Contains("SseOptions.MaxTopics", refused.Message, StringComparison.Ordinal);
        Assert.Equal(kept, Enumerable.Range(0, 3).Select(i => stage.Position($"topic{i}")));
        stage.Publish("2", "topic1");

        // A client of one too many is to come back: perhaps there is room then.
        Assert.Matches("^retry: [0-9]+\n$", stage.Received(stage.Connect(topic: "one more")));
    }

    [Fact]
    public void Topics_that_nobody_published_to_make_room_when_nobody_reads_them()
    {
        using var stage = new TopicStage(options => options.MaxTopics = 3);
        stage.Publish("1", "published");
        stage.Connect(topic: "read").Leave();
        stage.Settle();
        var read = stage.Connect(topic: "read");
        var position = stage.Received(read);
        for (var i = 0; i < 20; i++)
        {
            var visitor = stage.Connect(topic: $"made up {i}");
            Assert.StartsWith("id: ", stage.Received(visitor), StringComparison.Ordinal);
            visitor.Leave();
            stage.Settle();
        }

        stage.Publish("1", "another");
        Assert.Throws<InvalidOperationException>(() => stage.Publish("1", "one more"));

        // Who reads one has kept it.
        var id = stage.Publish("1", "read");
        Assert.Equal($"data: 1\nid: {id}\n\n", stage.Received(read));
        Assert.StartsWith(id.Split('-')[0], position["id: ".Length..], StringComparison.Ordinal);
    }

    [Fact]
    public void A_position_of_a_topic_without_events_stays_good_while_there_is_room()
    {
        using var stage = new TopicStage(options => options.MaxTopics = 3);
        var position = stage.Position();
        var id = stage.Publish("1");
        Assert.Equal($"data: 1\nid: {id}\n\n", stage.Received(stage.Connect(position)));
    }

    private static IReadOnlyList<SseEntry> Kept(TopicStage stage, string topic = "orders") =>
        stage.Run(stage.Backlog.ReadAsync(topic, null, int.MaxValue, CancellationToken.None)).Entries;

    private static void AssertRefused(TopicStage stage, string name, string why)
    {
        Action[] uses =
        [
            () => stage.Run(stage.Topics.PublishAsync(name, "1", Stop)),
            () => stage.Run(stage.Topics.GetPositionAsync(name, Stop)),
            () => stage.Topics.SubscribeAsync(name, cancellationToken: Stop),
            () => EventSourceResult.FromTopic(name),
        ];
        foreach (var use in uses)
        {
            var refused = Assert.Throws<ArgumentException>(use);
            Assert.Equal("topic", refused.ParamName);
            Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        }
    }

    private sealed class Order
    {
        public string Name { get; set; } = "";
    }

    private sealed class Failing
    {
        public string Before { get; } = "written before it fails";

        public int Value => throw new NotSupportedException();
    }

    private sealed class CountingConverter : JsonConverter<Order>
    {
        public int Written { get; private set; }

        public override Order Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, Order value, JsonSerializerOptions options)
        {
            Written++;
            writer.WriteStringValue(value.Name);
        }
    }
}
