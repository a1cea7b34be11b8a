using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Http;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

public class FrameBytesTests
{
    private static readonly Dictionary<string, (SseEvent Event, string Bytes)> Table = new()
    {
        ["all fields, in this order"] = (
            new("d", "t") { EventId = "i", ReconnectionInterval = TimeSpan.FromSeconds(3) }, "event: t\nretry: 3000\ndata: d\nid: i\n\n"),
        ["default(SseEvent)"] = (default, "data: \n\n"),
        ["null"] = ((string?)null, "data: \n\n"),
        ["no data but an id"] = (default(SseEvent) with { EventId = "7" }, "data: \nid: 7\n\n"),
        ["empty type"] = (new("d", ""), "data: d\n\n"),
        ["empty id"] = (new("d") { EventId = "" }, "data: d\nid: \n\n"),
        ["type and id with spaces and colons"] = (new("d", " t: u ") { EventId = " i: j " }, "event:  t: u \ndata: d\nid:  i: j \n\n"),
        ["type and id with lone surrogates"] = (new("d", "t\ud800") { EventId = "\udc00i" }, "event: t\ufffd\ndata: d\nid: \ufffdi\n\n"),

        ["text"] = ("tick", "data: tick\n\n"),
        ["empty text"] = ("", "data: \n\n"),
        ["LF"] = ("a\nb", "data: a\ndata: b\n\n"),
        ["CR"] = ("a\rb", "data: a\ndata: b\n\n"),
        ["CRLF"] = ("a\r\nb", "data: a\ndata: b\n\n"),
        ["LF CR"] = ("a\n\rb", "data: a\ndata: \ndata: b\n\n"),
        ["CR CR"] = ("a\r\rb", "data: a\ndata: \ndata: b\n\n"),
        ["LF LF"] = ("a\n\nb", "data: a\ndata: \ndata: b\n\n"),
        ["CR CRLF LF"] = ("a\r\r\n\nb", "data: a\ndata: \ndata: \ndata: b\n\n"),
        ["CRLF CRLF"] = ("a\r\n\r\nb", "data: a\ndata: \ndata: b\n\n"),
        ["only LF"] = ("\n", "data: \ndata: \n\n"),
        ["only CR"] = ("\r", "data: \ndata: \n\n"),
        ["only CRLF"] = ("\r\n", "data: \ndata: \n\n"),
        ["only LF CR"] = ("\n\r", "data: \ndata: \ndata: \n\n"),
        ["LF at the end"] = ("a\n", "data: a\ndata: \n\n"),
        ["CR at the end"] = ("a\r", "data: a\ndata: \n\n"),
        ["CRLF at the end"] = ("a\r\n", "data: a\ndata: \n\n"),
        ["LF at the start"] = ("\na", "data: \ndata: a\n\n"),
        ["space at the start"] = (" a", "data:  a\n\n"),
        ["space at the start of each line"] = (" a\n  b", "data:  a\ndata:   b\n\n"),
        ["BOM at the start"] = ("\ufeffa", "data: \ufeffa\n\n"),
        ["U+2028, U+2029, U+0085, VT, FF"] = ("a\u2028b\u2029c\u0085d\ve\f", "data: a\u2028b\u2029c\u0085d\ve\f\n\n"),
        ["emoji"] = ("👩‍🚀 é €", "data: 👩‍🚀 é €\n\n"),
        ["NUL in data"] = ("a\0b", "data: a\0b\n\n"),
        ["high surrogate alone"] = ("a\ud83d", "data: a\ufffd\n\n"),
        ["low surrogate alone"] = ("\ude00a", "data: \ufffda\n\n"),
        ["surrogates in the wrong order"] = ("\ude00\ud83d", "data: \ufffd\ufffd\n\n"),
        ["surrogate pair with a line end in it"] = ("\ud83d\n\ude00", "data: \ufffd\ndata: \ufffd\n\n"),
        ["text that looks like fields"] = ("a\nid: 9\n\nevent: b\n:c\nretry: 1", "data: a\ndata: id: 9\ndata: \ndata: event: b\ndata: :c\ndata: retry: 1\n\n"),

        ["retry of zero"] = (new("d") { ReconnectionInterval = TimeSpan.Zero }, "retry: 0\ndata: d\n\n"),
        ["retry of part of a millisecond"] = (new("d") { ReconnectionInterval = TimeSpan.FromMicroseconds(1999) }, "retry: 1\ndata: d\n\n"),
        ["the longest retry"] = (new("d") { ReconnectionInterval = TimeSpan.MaxValue }, "retry: 922337203685477\ndata: d\n\n"),

        ["comment"] = (SseEvent.Comment("hi"), ": hi\n"),
        ["empty comment"] = (SseEvent.Comment(""), ":\n"),
        ["comment of many lines"] = (SseEvent.Comment("a\r\nb\rc\nd\n"), ": a\n: b\n: c\n: d\n: \n"),
        ["comment that looks like an event"] = (SseEvent.Comment("a\n\ndata: b"), ": a\n: \n: data: b\n"),
        ["comment with retry"] = (SseEvent.Comment("later") with { ReconnectionInterval = TimeSpan.FromSeconds(1) }, "retry: 1000\n: later\n"),

        ["UTF-8"] = (SseEvent.Utf8("é👩‍🚀"u8.ToArray()), "data: é👩‍🚀\n\n"),
        ["empty UTF-8"] = (SseEvent.Utf8(default), "data: \n\n"),
        ["UTF-8 with all line ends"] = (SseEvent.Utf8("a\rb\nc\r\nd\n\re\r\n"u8.ToArray()), "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e\ndata: \n\n"),
        ["UTF-8 with BOM, space, NUL, U+2028"] = (SseEvent.Utf8("\ufeff a\0\u2028"u8.ToArray()), "data: \ufeff a\0\u2028\n\n"),
        ["part of an array"] = (SseEvent.Utf8("abcdef"u8.ToArray().AsMemory(2, 3)), "data: cde\n\n"),
        ["a byte that starts nothing"] = (SseEvent.Utf8(new byte[] { (byte)'a', 0xff, (byte)'b' }), "data: a\ufffdb\n\n"),
        ["a character cut short"] = (SseEvent.Utf8(new byte[] { (byte)'a', 0xe2, 0x82 }), "data: a\ufffd\n\n"),
        ["a character cut short by a line end"] = (SseEvent.Utf8(new byte[] { 0xe2, 0x82, (byte)'\r', (byte)'\n', 0xac }), "data: \ufffd\ndata: \ufffd\n\n"),
        ["a line end in more bytes than it needs"] = (SseEvent.Utf8(new byte[] { (byte)'a', 0xc0, 0x8a, (byte)'b' }), "data: a\ufffd\ufffdb\n\n"),
        ["UTF-8 with the other fields"] = (
            SseEvent.Utf8("d"u8.ToArray()) with { EventType = "t", EventId = "i", ReconnectionInterval = TimeSpan.FromMilliseconds(5) },
            "event: t\nretry: 5\ndata: d\nid: i\n\n"),
    };

    public static TheoryData<string> Names => [.. Table.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_event_has_exactly_these_bytes(string name)
    {
        var (item, bytes) = Table[name];

        Assert.Equal(Encoding.UTF8.GetBytes(bytes), Encoded.Bytes([item]));
    }

    [Fact]
    public void Events_follow_each_other_with_nothing_between_them()
    {
        var all = Table.Values.Select(row => row.Event).ToArray();
        var bytes = Encoding.UTF8.GetBytes(string.Concat(Table.Values.Select(row => row.Bytes)));

        Assert.Equal(bytes, Encoded.Bytes(all));
        Assert.Equal(bytes, Encoded.Bytes(all, blockSize: 1));
    }

    [Fact]
    public void Every_mix_of_line_ends_splits_as_a_parser_will_read_it()
    {
        // All texts of up to six characters out of these four: every way in which CR, LF, CRLF and LF CR can meet.
        var texts = new List<string> { "" };
        for (var (from, length) = (0, 0); length < 6; length++)
        {
            var to = texts.Count;
            for (; from < to; from++)
            {
                texts.AddRange("\r\nab".Select(next => texts[from] + next));
            }
        }

        Assert.Equal(5461, texts.Count);
        foreach (var text in texts)
        {
            var lines = text.Replace("\r\n", "\n").Replace('\r', '\n').Split('\n');
            var expected = string.Concat(lines.Select(line => $"data: {line}\n")) + "\n";
            Assert.Equal(expected, Encoded.Text(text));
            Assert.Equal(expected, Encoded.Text(SseEvent.Utf8(Encoding.UTF8.GetBytes(text))));
        }
    }

    [Fact]
    public void Only_an_event_ends_with_a_blank_line()
    {
        // A blank line after anything else makes fetch-event-source report an empty message.
        Assert.EndsWith("\n\n", Encoded.Text("d"));
        Assert.DoesNotContain("\n\n", Encoded.Text(SseEvent.Comment("a\n\nb")));
        Assert.DoesNotContain("\n\n", Encoded.Text(SseEvent.Comment("") with { ReconnectionInterval = TimeSpan.Zero }));
    }

    [Fact]
    public void A_position_is_an_id_alone_and_gives_no_event_inside_the_app()
    {
        Assert.Equal("id: a-1\n\n"u8, EventFrame.Position("a-1"));

        byte[] frames = [.. EventFrame.Position("a-1"), .. Encoded.Bytes([new SseEvent("d") { EventId = "a-2" }]), .. EventFrame.Position("a-2")];
        var item = Assert.Single(FrameReader.Read(frames));
        Assert.Equal(("d", "a-2"), (item.Data, item.EventId));
    }

    [Fact]
    public void Memory_that_is_not_an_array_is_read_where_it_is()
    {
        using var memory = new NoArray("xx é\r\nb yy"u8.ToArray());

        Assert.Equal("data: é\ndata: b\n\n", Encoded.Text(SseEvent.Utf8(memory.Memory[3..^3])));
    }

    [Fact]
    public void A_line_may_lie_across_the_blocks_of_a_pipe_wherever_their_borders_are()
    {
        // The characters have one to four bytes, so some border falls into each of them.
        var text = string.Concat(Enumerable.Repeat("aé€👩‍🚀\ud83d", 100)) + "\r\n" + string.Concat(Enumerable.Repeat("👍", 700));
        var expected = Encoding.UTF8.GetBytes("event: t\ndata: " + RepairedText(text).Replace("\r\n", "\ndata: ") + "\nid: i\n\n");
        SseEvent[] kinds =
        [
            new SseEvent(text, "t") { EventId = "i" },
            SseEvent.Utf8(Encoding.UTF8.GetBytes(text)) with { EventType = "t", EventId = "i" },
        ];
        foreach (var item in kinds)
        {
            for (var before = 4096 - 2100; before <= 4096; before++)
            {
                Assert.Equal(expected, Encoded.Bytes([item], before));
            }

            Assert.Equal(expected, Encoded.Bytes([item], blockSize: 1));
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData("€")]
    [InlineData("👍")]
    [InlineData("a👍")]
    [InlineData("a\n")]
    [InlineData("ab\r\n")]
    public void A_megabyte_of_data_is_one_event(string piece)
    {
        var text = string.Concat(Enumerable.Repeat(piece, 1_000_000 / piece.Length));
        var expected = Encoding.UTF8.GetBytes("data: " + text.Replace("\r\n", "\n").Replace("\n", "\ndata: ") + "\n\n");

        Assert.Equal(expected, Encoded.Bytes([text]));
        Assert.Equal(expected, Encoded.Bytes([SseEvent.Utf8(Encoding.UTF8.GetBytes(text))], before: 1));
    }

    [Theory]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(2048)]
    [InlineData(2049)]
    public void A_line_as_long_as_what_is_encoded_in_one_go_comes_out_whole(int length)
    {
        // A lone surrogate right at the border must not swallow its neighbour, and a pair must not be cut in two.
        foreach (var last in new[] { "z", "\ud83d", "\ude00", "👍" })
        {
            var text = new string('€', length - last.Length) + last + "tail";
            Assert.Equal("data: " + RepairedText(text) + "\n\n", Encoded.Text(text));
            Assert.Equal("data: " + RepairedText(text[..length]) + "\n\n", Encoded.Text(text[..length]));
        }
    }

    [Fact]
    public async Task The_response_holds_the_events_and_nothing_before_them()
    {
        var context = new DefaultHttpContext();
        var body = new MemoryStream();
        context.Response.Body = body;

        await new EventSourceResult(Table.Values.Select(row => row.Event).Prepend("\ufefffirst").ToAsyncEnumerable()).ExecuteAsync(context);

        Assert.Equal(
            Encoding.UTF8.GetBytes("data: \ufefffirst\n\n" + string.Concat(Table.Values.Select(row => row.Bytes))),
            body.ToArray());
    }

    private static string RepairedText(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>Memory that shows no array, as a native buffer does.</summary>
    private sealed class NoArray(byte[] bytes) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => bytes;

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

        public override void Unpin() => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
        }
    }
}
