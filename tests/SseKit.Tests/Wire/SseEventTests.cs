using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;

namespace SseKit.Tests.Wire;

public class SseEventTests
{
    [Fact]
    public void Its_properties_are_those_it_was_made_with()
    {
        var item = new SseEvent("d", "t") { EventId = "i", ReconnectionInterval = TimeSpan.FromTicks(15) };

        Assert.Equal(("d", "t", "i", TimeSpan.FromTicks(15)), (item.Data, item.EventType, item.EventId, item.ReconnectionInterval));
    }

    [Fact]
    public void A_key_and_a_type_are_set_in_any_order_and_the_key_is_not_sent()
    {
        Assert.Equal(("t", "k"), Named(new SseEvent("d", "t") { Key = "k" }));
        Assert.Equal(("t", "k"), Named(new SseEvent("d") { Key = "k" } with { EventType = "t" }));
        Assert.Equal((null, "k"), Named(new SseEvent("d", "t") { Key = "k" } with { EventType = null }));
        Assert.Equal(("t", "other"), Named(new SseEvent("d", "t") { Key = "k" } with { Key = "other" }));
        Assert.Equal(("t", null), Named(new SseEvent("d", "t") { Key = "k" } with { Key = "" }));
        Assert.Equal((null, null), Named(default));
        Assert.Equal("event: t\ndata: d\n\n", Encoded.Text(new SseEvent("d", "t") { Key = "k" }));

        static (string? EventType, string? Key) Named(SseEvent item) => (item.EventType, item.Key);
    }

    // Every byte more is copied several times on the way of every event of every stream.
    [Fact]
    public void It_is_no_larger_than_six_words() => Assert.Equal(6 * IntPtr.Size, Unsafe.SizeOf<SseEvent>());

    [Fact]
    public void The_default_has_empty_data_and_nothing_else()
    {
        SseEvent item = default;

        Assert.Equal(("", null, null, null), (item.Data, item.EventType, item.EventId, item.ReconnectionInterval));
    }

    [Fact]
    public void Data_is_the_text_and_null_for_everything_else()
    {
        Assert.Equal("", new SseEvent(null).Data);
        Assert.Equal("a\r\nb", ((SseEvent)"a\r\nb").Data);
        Assert.Null(SseEvent.Json("a").Data);
        Assert.Null(SseEvent.Json<string?>(null).Data);
        Assert.Null(SseEvent.Utf8("a"u8.ToArray()).Data);
        Assert.Null(SseEvent.Comment("a").Data);
    }

    [Fact]
    public void Every_reconnection_interval_is_kept_to_the_tick()
    {
        foreach (var ticks in new[] { 0, 1, TimeSpan.TicksPerMillisecond, long.MaxValue - 1, long.MaxValue })
        {
            Assert.Equal(TimeSpan.FromTicks(ticks), new SseEvent("d") { ReconnectionInterval = TimeSpan.FromTicks(ticks) }.ReconnectionInterval);
        }

        Assert.Null((new SseEvent("d") { ReconnectionInterval = TimeSpan.Zero } with { ReconnectionInterval = null }).ReconnectionInterval);
    }

    [Fact]
    public void A_string_and_an_item_of_strings_convert_by_themselves()
    {
        SseEvent[] items = ["a", (string?)null, new SseItem<string>("b", "t") { EventId = "i", ReconnectionInterval = TimeSpan.FromSeconds(2) }, default(SseItem<string>)];

        Assert.Equal("data: a\n\ndata: \n\nevent: t\nretry: 2000\ndata: b\nid: i\n\ndata: \n\n", Encoding.UTF8.GetString(Encoded.Bytes(items)));
    }

    [Fact]
    public void An_item_of_the_framework_keeps_all_its_fields()
    {
        static string Made<T>(T data) =>
            Encoded.Text(SseEvent.From(new SseItem<T>(data, "t") { EventId = "i", ReconnectionInterval = TimeSpan.FromSeconds(2) }));

        Assert.Equal("event: t\nretry: 2000\ndata: a\ndata: b\nid: i\n\n", Made("a\nb"));
        Assert.Equal("event: t\nretry: 2000\ndata: a\nid: i\n\n", Made("a"u8.ToArray()));
        Assert.Equal("event: t\nretry: 2000\ndata: {\"x\":1}\nid: i\n\n", Made(new { X = 1 }));
        Assert.Equal("event: t\nretry: 2000\ndata: 5\nid: i\n\n", Made(5));
        Assert.Equal("event: t\nretry: 2000\ndata: null\nid: i\n\n", Made<object?>(null));
        Assert.Equal("event: t\nretry: 2000\ndata: \nid: i\n\n", Made<string?>(null));
        Assert.Equal("event: t\nretry: 2000\ndata: \nid: i\n\n", Made<byte[]?>(null));
        // As TypedResults does: by what the data is, not by what it was declared to be.
        Assert.Equal("event: t\nretry: 2000\ndata: a\nid: i\n\n", Made<object>("a"));
        Assert.Equal("event: t\nretry: 2000\ndata: a\nid: i\n\n", Made<object>("a"u8.ToArray()));
    }

    [Fact]
    public void The_type_message_means_none()
    {
        Assert.Equal("data: a\n\n", Encoded.Text(new SseItem<string>("a")));
        Assert.Equal("data: a\n\n", Encoded.Text(new SseItem<string>("a", "message")));
        Assert.Equal("data: a\n\n", Encoded.Text(new SseItem<string>("a", "")));
        Assert.Equal("event: message\ndata: a\n\n", Encoded.Text(new SseEvent("a", "message")));
    }

    [Fact]
    public void A_person_can_read_it()
    {
        Assert.Equal("message: a", new SseEvent("a").ToString());
        Assert.Equal("t #i: a", (new SseEvent("a", "t") with { EventId = "i" }).ToString());
        Assert.Equal("message: 3 bytes", SseEvent.Utf8(new byte[3]).ToString());
        Assert.Equal("message: JSON of Int32", SseEvent.Json(5).ToString());
        Assert.Equal("message: JSON of null", SseEvent.Json<object?>(null).ToString());
    }
}
