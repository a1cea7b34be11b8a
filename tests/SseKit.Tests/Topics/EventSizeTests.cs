namespace SseKit.Tests.Topics;

public class EventSizeTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_event_that_is_too_large_is_refused_by_name_and_nothing_is_published(bool store)
    {
        using var stage = new TopicStage(options => options.MaxEventSize = 2_000, store ? new SlowPagingBacklog() : null);
        using var client = stage.Connect(configure: options => options.SendStartPosition = false);
        var fits = new string('x', 2_000 - "data: \n".Length);
        var id = stage.Publish(fits);
        Assert.Equal($"data: {fits}\nid: {id}\n\n", stage.Received(client));

        var refused = Assert.Throws<ArgumentException>(() => stage.Publish(fits + "x"));
        Assert.Equal("item", refused.ParamName);
        Assert.All(
            new[] { "2001 bytes", "SseOptions.MaxEventSize is 2000", "Raise it" },
            text => Assert.Contains(text, refused.Message, StringComparison.Ordinal));
        Assert.Equal("", stage.Received(client));
        Assert.Equal(id, stage.Position());
    }

    [Fact]
    public void An_event_that_is_not_kept_may_be_no_larger()
    {
        using var stage = new TopicStage(options => options.MaxEventSize = 2_000);
        using var client = stage.Connect(configure: options => options.SendStartPosition = false);
        var refused = Assert.Throws<ArgumentException>(() => { _ = stage.Topics.PublishEphemeralAsync("orders", new string('x', 2_000), Stop).AsTask(); });
        Assert.Contains("SseOptions.MaxEventSize is 2000", refused.Message, StringComparison.Ordinal);
        Assert.Equal("", stage.Received(client));
    }

    [Fact]
    public void What_counts_is_what_is_sent_and_not_what_it_was_made_of()
    {
        // Two bytes a letter, and six more for each line.
        using var stage = new TopicStage(options => options.MaxEventSize = 1_024);
        stage.Publish(new string('ü', 500));
        Assert.Throws<ArgumentException>(() => stage.Publish(new string('ü', 510)));
        Assert.Throws<ArgumentException>(() => stage.Publish(new string('\n', 200)));
        Assert.Throws<ArgumentException>(() => stage.Run(stage.Topics.PublishAsync("orders", SseEvent.Json(new string('x', 1_020)), Stop)));
    }

    [Fact]
    public void By_default_an_event_may_take_a_mebibyte()
    {
        using var stage = new TopicStage();
        var most = new string('x', (1024 * 1024) - "data: \n".Length);
        stage.Publish(most);
        Assert.Contains("SseOptions.MaxEventSize is 1048576", Assert.Throws<ArgumentException>(() => stage.Publish(most + "x")).Message, StringComparison.Ordinal);
    }
}
