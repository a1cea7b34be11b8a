using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>An event of JSON comes out the same whatever room its buffer has left.</summary>
public partial class JsonRoomTests
{
    private static readonly JsonSerializerOptions Web = new(Encoded.WebJson) { Converters = { new SpelledConverter(), new RawConverter() } };

    private static readonly JsonSerializerOptions Relaxed = new(Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly NoteJson RelaxedContracts = new(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    // Each way in which the serializer comes to write a value, with the options that it is written by.
    private static readonly Dictionary<string, (Func<string, SseEvent> Event, Func<string, string> Json, JsonSerializerOptions Options)> Ways = new()
    {
        ["reflection"] = (text => SseEvent.Json(new Note(text)), text => JsonSerializer.Serialize(new Note(text), Web), Web),
        ["reflection, relaxed"] = (text => SseEvent.Json(new Note(text)), text => JsonSerializer.Serialize(new Note(text), Relaxed), Relaxed),
        ["source generation"] = (
            text => SseEvent.Json(new Note(text), NoteJson.Default.Note), text => JsonSerializer.Serialize(new Note(text), NoteJson.Default.Note), Web),
        ["source generation, relaxed"] = (
            text => SseEvent.Json(new Note(text), RelaxedContracts.Note), text => JsonSerializer.Serialize(new Note(text), RelaxedContracts.Note), Web),
        ["converter of the whole value"] = (text => SseEvent.Json(new Spelled(text)), text => JsonSerializer.Serialize(new Spelled(text), Web), Web),
        ["converter of the whole value, relaxed"] = (
            text => SseEvent.Json(new Spelled(text)), text => JsonSerializer.Serialize(new Spelled(text), Relaxed), Relaxed),
    };

    public static TheoryData<string> Names => [.. Ways.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_event_of_json_comes_out_whole_wherever_the_room_ends(string way)
    {
        var (make, json, options) = Ways[way];

        // From one that any room takes to one that is longer than a block, and a type that takes the room away.
        foreach (var type in new[] { "t", new string('é', 400) })
        {
            foreach (var pieces in new[] { 0, 12, 400 })
            {
                var text = string.Concat(Enumerable.Repeat("aé€👩‍🚀<", pieces));
                var item = make(text) with { EventType = type, EventId = "i", ReconnectionInterval = TimeSpan.FromMilliseconds(5) };
                var expected = Encoding.UTF8.GetBytes($"event: {type}\nretry: 5\ndata: {json(text)}\nid: i\n\n");

                // Rooms end at each power of two, and in the pipe of small blocks every 512 bytes after that. All of them end at 1,024.
                for (var before = 0; before < 2600; before += before is > 300 and < 1100 ? 1 : 7)
                {
                    foreach (var bytes in Encoded.ByEveryBuffer(before, frames => EventFrame.Write(frames, item, options)))
                    {
                        Assert.Equal(expected, bytes);
                    }
                }
            }
        }
    }

    [Fact]
    public void A_value_of_a_result_comes_out_whole_wherever_the_room_ends()
    {
        var note = new Note(new string('x', 200));
        var expected = Encoding.UTF8.GetBytes($"event: note\ndata: {JsonSerializer.Serialize(note, Web)}\n\n");
        for (var before = 0; before < 1100; before++)
        {
            foreach (var bytes in Encoded.ByEveryBuffer(before, frames => EventFrame.WriteJson(frames, "note", note, Contract<Note>(), Web)))
            {
                Assert.Equal(expected, bytes);
            }
        }
    }

    [Fact]
    public void Json_of_more_than_one_line_is_split_wherever_the_room_ends()
    {
        var raw = SseEvent.Json(new Raw("{\r\n\"a\":\r1}\n\nid: 9\r"u8.ToArray())) with { EventType = "t", EventId = "i" };
        var endsInCr = SseEvent.Json(new Raw("1\r"u8.ToArray()));
        var indented = new JsonSerializerOptions(Web) { WriteIndented = true, NewLine = "\r\n", IndentSize = 1 };
        var note = SseEvent.Json(new Note("x"));
        var expected = Encoding.UTF8.GetBytes(
            "event: t\ndata: {\ndata: \"a\":\ndata: 1}\ndata: \ndata: id: 9\ndata: \nid: i\n\n" +
            "data: 1\ndata: \n\n" +
            $"data: {JsonSerializer.Serialize(new Note("x"), indented).Replace("\r\n", "\ndata: ")}\n\n" +
            "data: 5\n\n");
        for (var before = 0; before < 1100; before++)
        {
            var all = Encoded.ByEveryBuffer(before, frames =>
            {
                EventFrame.Write(frames, raw, Web);
                EventFrame.Write(frames, endsInCr, Web);
                EventFrame.Write(frames, note, indented);
                EventFrame.Write(frames, SseEvent.Json(5), Web);
            });
            foreach (var bytes in all)
            {
                Assert.Equal(expected, bytes);
            }
        }
    }

    [Fact]
    public void Raw_json_that_is_no_utf8_is_repaired_wherever_the_room_ends()
    {
        // A byte that starts nothing, a character cut short, one cut by a line end, and a whole one.
        var raw = SseEvent.Json(new Raw([(byte)'"', 0xff, 0xe2, 0x82, (byte)'\n', 0xe2, 0x82, 0xac, (byte)'"', 0xf0])) with { EventType = "t" };
        var expected = Encoding.UTF8.GetBytes("event: t\ndata: \"\ufffd\ufffd\ndata: €\"\ufffd\n\ndata: \"\ufffd\"\n\n");
        for (var before = 0; before < 1100; before++)
        {
            var all = Encoded.ByEveryBuffer(before, frames =>
            {
                EventFrame.Write(frames, raw, Web);
                EventFrame.Write(frames, SseEvent.Json(new Raw([(byte)'"', 0x80, (byte)'"'])), Web);
            });
            foreach (var bytes in all)
            {
                Assert.Equal(expected, bytes);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(300)]
    [InlineData(5_000)]
    public void A_getter_that_throws_half_way_leaves_nothing_behind_wherever_the_room_ends(int written)
    {
        var throwing = new Throwing(new string('x', written));
        var bad = SseEvent.Json(throwing) with { EventType = "bad", EventId = "i", ReconnectionInterval = TimeSpan.Zero };
        var good = SseEvent.Json(new Note("é")) with { EventType = "good", EventId = "j" };
        var expected = Encoding.UTF8.GetBytes(
            $"data: first\n\nevent: good\ndata: {JsonSerializer.Serialize(new Note("é"), Web)}\nid: j\n\n" +
            $"data: {JsonSerializer.Serialize(new Note("é"), Relaxed)}\n\n");

        for (var before = 0; before < 1100; before++)
        {
            var all = Encoded.ByEveryBuffer(before, frames =>
            {
                EventFrame.Write(frames, "first", Web);
                Assert.Throws<InvalidTimeZoneException>(() => EventFrame.Write(frames, bad, Web));
                Assert.Throws<InvalidTimeZoneException>(() => EventFrame.WriteJson(frames, "bad", throwing, Contract<Throwing>(), Web));
                EventFrame.Write(frames, good, Web);
                Assert.Throws<InvalidTimeZoneException>(() => EventFrame.Write(frames, bad, Web));
                EventFrame.Write(frames, SseEvent.Json(new Note("é")), Relaxed);
            });
            foreach (var bytes in all)
            {
                Assert.Equal(expected, bytes);
            }
        }
    }

    [Fact]
    public void A_getter_that_throws_before_anything_else_was_written_leaves_an_empty_buffer()
    {
        var bad = SseEvent.Json(new Throwing("x")) with { EventType = "bad" };

        Assert.All(
            Encoded.ByEveryBuffer(before: 0, frames => Assert.Throws<InvalidTimeZoneException>(() => EventFrame.Write(frames, bad, Web))),
            Assert.Empty);
    }

    private static JsonTypeInfo<T> Contract<T>() => (JsonTypeInfo<T>)Web.GetTypeInfo(typeof(T));

    public sealed record Note(string Text)
    {
        public int Length => Text.Length;

        public IReadOnlyList<int> Numbers { get; } = [1, 2, 3];
    }

    [JsonSerializable(typeof(Note))]
    internal sealed partial class NoteJson : JsonSerializerContext;

    private sealed record Spelled(string Text);

    private sealed record Raw(byte[] Json);

    private sealed class Throwing(string before)
    {
        public string Before => before;

        public int After => before.Length == 0 ? 0 : throw new InvalidTimeZoneException();
    }

    /// <summary>Writes in many small calls, none of which flushes the writer.</summary>
    private sealed class SpelledConverter : JsonConverter<Spelled>
    {
        public override Spelled Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, Spelled value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            foreach (var rune in value.Text.EnumerateRunes())
            {
                writer.WriteStringValue(rune.ToString());
            }

            writer.WriteEndArray();
        }
    }

    /// <summary>Writes anything, as raw JSON can be.</summary>
    private sealed class RawConverter : JsonConverter<Raw>
    {
        public override Raw Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, Raw value, JsonSerializerOptions options) => writer.WriteRawValue(value.Json, skipInputValidation: true);
    }
}
