using System.Net.ServerSentEvents;
using System.Text;

namespace SseKit.Tests.Wire;

public class RefusalTests
{
    [Theory]
    [InlineData("\r", "CR", 0)]
    [InlineData("\n", "LF", 0)]
    [InlineData("\0", "NUL", 0)]
    [InlineData("a\r\nb", "CR", 1)]
    [InlineData("tick\ndata: forged", "LF", 4)]
    [InlineData("ab\0", "NUL", 2)]
    public void A_type_or_an_id_with_a_line_break_or_NUL_is_refused_by_name(string value, string what, int at)
    {
        Refused("EventType", $"EventType holds a {what} at position {at};", () => new SseEvent("d", value));
        Refused("EventType", $"EventType holds a {what} at position {at};", () => new SseEvent("d") { EventType = value });
        Refused("EventType", $"EventType holds a {what} at position {at};", () => SseEvent.Json(5) with { EventType = value });
        Refused("EventType", $"EventType holds a {what} at position {at};", () => EventSourceResult.From(AsyncEnumerable.Empty<int>(), value));
        Refused("EventId", $"EventId holds a {what} at position {at};", () => new SseEvent("d") { EventId = value });
        Refused("EventId", $"EventId holds a {what} at position {at};", () => SseEvent.Utf8(default) with { EventId = value });
    }

    [Fact]
    public void Other_control_characters_and_separators_are_no_line_breaks()
    {
        const string odd = "\t\v\f\u0001\u001f\u007f\u0085\u2028\u2029 :\ufeff\ud800";

        Assert.Equal(
            $"event: {odd}\ndata: d\nid: {odd}\n\n".Replace('\ud800', '\ufffd'),
            Encoded.Text(new SseEvent("d", odd) { EventId = odd }));
    }

    [Theory]
    [InlineData("a", 1024)]
    [InlineData("é", 512)]
    [InlineData("👍", 256)]
    public void An_id_of_1024_bytes_is_the_longest(string character, int count)
    {
        var longest = string.Concat(Enumerable.Repeat(character, count));
        Assert.Equal(1024, Encoding.UTF8.GetByteCount(longest));

        Assert.Equal(longest, new SseEvent("d") { EventId = longest }.EventId);
        Assert.Equal($"data: d\nid: {longest}\n\n", Encoded.Text(new SseEvent("d") { EventId = longest }));
        Refused("EventId", "EventId is 1025 bytes long; the most is 1024", () => new SseEvent("d") { EventId = longest + "a" });
        Refused("EventId", "EventId is 1025 bytes long; the most is 1024", () => new SseEvent("d") { EventId = "a" + longest });
    }

    [Fact]
    public void Three_bytes_are_counted_for_what_becomes_a_replacement_character()
    {
        var longest = new string('€', 341);

        Assert.Equal(longest, new SseEvent("d") { EventId = longest }.EventId);
        Assert.Equal(1024, Encoding.UTF8.GetByteCount(new SseEvent("d") { EventId = longest + "a" }.EventId!));
        Refused("EventId", "EventId is 1025 bytes long", () => new SseEvent("d") { EventId = longest + "é" });
        Refused("EventId", "EventId is 1026 bytes long", () => new SseEvent("d") { EventId = longest + "\ud800" });
        Refused("EventId", "EventId is 3072 bytes long", () => new SseEvent("d") { EventId = new string('\udc00', 1024) });
    }

    [Theory]
    [InlineData("a", 1024)]
    [InlineData("é", 512)]
    [InlineData("👍", 256)]
    public void A_key_of_1024_bytes_is_the_longest(string character, int count)
    {
        var longest = string.Concat(Enumerable.Repeat(character, count));

        Assert.Equal(longest, new SseEvent("d") { Key = longest }.Key);
        Refused("Key", "Key is 1025 bytes long; the most is 1024", () => new SseEvent("d") { Key = longest + "a" });
    }

    [Fact]
    public void A_key_that_not_every_store_can_keep_is_refused_by_name()
    {
        Refused("Key", "Key holds a lone surrogate at position 1,", () => new SseEvent("d") { Key = "a\ud800" });
        Refused("Key", "Key holds a lone surrogate at position 0,", () => new SseEvent("d") { Key = "\udc00a" });
        Refused("Key", "Key holds a lone surrogate at position 2,", () => new SseEvent("d") { Key = "👍\ud800👍" });
        Refused("Key", "Key holds a NUL at position 1,", () => SseEvent.Json(5) with { Key = "a\0" });
        Refused("Key", "A comment has no Key:", () => SseEvent.Comment("c") with { Key = "k" });
        Assert.Equal("\r\n\u001f 👍", new SseEvent("d") { Key = "\r\n\u001f 👍" }.Key);
    }

    [Fact]
    public void A_negative_retry_is_refused_by_name()
    {
        Refused("ReconnectionInterval", "ReconnectionInterval is -00:00:00.0000001;", () => new SseEvent("d") { ReconnectionInterval = TimeSpan.FromTicks(-1) });
        Refused("ReconnectionInterval", "ReconnectionInterval is -", () => SseEvent.Comment("c") with { ReconnectionInterval = TimeSpan.MinValue });
        Refused("ReconnectionInterval", "ReconnectionInterval is -", () => default(SseEvent) with { ReconnectionInterval = Timeout.InfiniteTimeSpan });
    }

    [Fact]
    public void A_comment_with_a_type_or_an_id_is_refused_by_name()
    {
        Refused("EventType", "A comment has no EventType:", () => SseEvent.Comment("c") with { EventType = "t" });
        Refused("EventId", "A comment has no EventId:", () => SseEvent.Comment("c") with { EventId = "" });
        Assert.Null((SseEvent.Comment("c") with { EventType = null, EventId = null }).EventId);
    }

    [Fact]
    public void What_is_missing_is_refused_by_name()
    {
        Assert.Equal("text", Assert.Throws<ArgumentNullException>(() => SseEvent.Comment(null!)).ParamName);
        Assert.Equal("jsonTypeInfo", Assert.Throws<ArgumentNullException>(() => SseEvent.Json(5, null!)).ParamName);
    }

    [Fact]
    public void An_item_of_the_framework_that_cannot_be_written_is_refused_by_name()
    {
        // The framework's own type looks for line breaks, not for NUL, and knows no longest id.
        Refused("EventType", "EventType holds a NUL", () => (SseEvent)new SseItem<string>("d", "a\0"));
        Refused("EventId", "EventId holds a NUL", () => SseEvent.From(new SseItem<int>(5) { EventId = "\0" }));
        Refused("EventId", "EventId is 1025 bytes long", () => SseEvent.From(new SseItem<byte[]>([]) { EventId = new string('a', 1025) }));
    }

    [Fact]
    public void A_refusal_leaves_the_event_that_it_was_tried_on_as_it_was()
    {
        var item = new SseEvent("d", "t") { EventId = "i", ReconnectionInterval = TimeSpan.FromSeconds(1) };
        var changed = item;

        Assert.Throws<ArgumentException>(() => changed = item with { EventId = "a\nb" });
        Assert.Throws<ArgumentException>(() => changed = item with { EventType = "a\nb" });
        Assert.Throws<ArgumentException>(() => changed = item with { ReconnectionInterval = -TimeSpan.FromSeconds(1) });

        Assert.Equal("event: t\nretry: 1000\ndata: d\nid: i\n\n", Encoded.Text(changed));
    }

    private static void Refused(string field, string message, Func<object> make)
    {
        var refusal = Assert.Throws<ArgumentException>(make);
        Assert.Equal(field, refusal.ParamName, ignoreCase: true);
        Assert.StartsWith(message, refusal.Message, StringComparison.Ordinal);
    }
}
