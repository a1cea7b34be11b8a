using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>A getter may itself encode an event, for example by publishing one: on the same thread, while the outer event is half written.</summary>
public sealed class NestedEventTests
{
    // What a getter may do on the way, each with what it gives: a text, so that it can be seen that the inner event was right.
    private static readonly Dictionary<string, Func<string>> Inners = new()
    {
        ["text"] = () => Encode(new SseEvent("a\nb", "t")),
        ["JSON"] = () => Encode(SseEvent.Json(new Flat("in", "n", "er"))),
        ["JSON that no room takes"] = () => Encode(SseEvent.Json(new string('x', 3000))),
        ["an event with one in it"] = () => Encode(SseEvent.Json(new Outer(() => Encode(SseEvent.Json(new Outer(() => Encode(SseEvent.Json(5)))))))),
        ["text through a pipe"] = () => ThroughPipe("a"),
        ["JSON through a pipe"] = () => ThroughPipe(SseEvent.Json(new Flat("in", "n", "er"))),
        ["an event with one in it, through pipes"] = () => ThroughPipe(SseEvent.Json(new Outer(() => ThroughPipe(SseEvent.Json(5))))),
        ["an event that fails"] = () =>
        {
            var failing = SseEvent.Json(new Outer(() => throw new InvalidTimeZoneException()));
            Assert.Throws<InvalidTimeZoneException>(() => Encode(failing));
            Assert.Throws<InvalidTimeZoneException>(() => ThroughPipe(failing));
            return "failed";
        },
    };

    public static TheoryData<string> Names => [.. Inners.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_event_that_is_encoded_inside_another_leaves_both_right(string name)
    {
        var inner = Inners[name];
        var alone = inner();
        var flat = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new Flat("first", alone, "last"), Encoded.WebJson));
        byte[] expected =
        [
            .. "event: t\ndata: "u8, .. flat, .. "\nid: i\n\n"u8,
            .. "data: "u8, .. flat, .. "\n\n"u8,
            .. "data: 5\n\n"u8,
        ];
        for (var before = 0; before < 1100; before += 31)
        {
            var all = Encoded.ByEveryBuffer(before, frames =>
            {
                EventFrame.Write(frames, SseEvent.Json(new Outer(inner)) with { EventType = "t", EventId = "i" }, Encoded.WebJson);
                EventFrame.Write(frames, SseEvent.Json(new Outer(inner)), Encoded.WebJson);
                EventFrame.Write(frames, SseEvent.Json(5), Encoded.WebJson);
            });
            foreach (var bytes in all)
            {
                Assert.Equal(expected, bytes);
            }
        }
    }

    [Fact]
    public void An_event_for_another_stream_that_is_flushed_later_leaves_both_right()
    {
        var pipe = new Pipe();
        var other = new PipeFrames(pipe.Writer);
        string WriteToOther()
        {
            EventFrame.Write(other, SseEvent.Json("other"), Encoded.WebJson);
            return "x";
        }

        var all = Encoded.ByEveryBuffer(before: 0, frames =>
        {
            EventFrame.Write(frames, SseEvent.Json(new Outer(WriteToOther)), Encoded.WebJson);
            EventFrame.Write(frames, SseEvent.Json(new Outer(WriteToOther)), Encoded.WebJson);
        });

        foreach (var bytes in all)
        {
            var json = JsonSerializer.Serialize(new Flat("first", "x", "last"), Encoded.WebJson);
            Assert.Equal($"data: {json}\n\ndata: {json}\n\n", Encoding.UTF8.GetString(bytes));
        }

        Assert.Equal(string.Concat(Enumerable.Repeat("data: \"other\"\n\n", 6)), Encoded.Flushed(pipe, other));
    }

    private static string Encode(in SseEvent item) => Encoding.UTF8.GetString(EventFrame.Encode(item, Encoded.WebJson));

    private static string ThroughPipe(in SseEvent item)
    {
        var pipe = new Pipe();
        var frames = new PipeFrames(pipe.Writer);
        EventFrame.Write(frames, item, Encoded.WebJson);
        return Encoded.Flushed(pipe, frames);
    }

    private sealed record Flat(string First, string Inner, string Last);

    private sealed class Outer(Func<string> inner)
    {
        public string First { get; } = "first";

        public string Inner => inner();

        public string Last { get; } = "last";
    }
}
