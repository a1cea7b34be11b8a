using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

public partial class JsonFrameTests
{
    private static readonly Order Seven = new() { Id = 7, Note = "é<" };

    [Fact]
    public void A_value_becomes_one_line_by_the_options()
    {
        Assert.Equal("data: {\"id\":7,\"note\":\"\\u00E9\\u003C\"}\n\n", Encoded.Text(SseEvent.Json(Seven)));
        Assert.Equal(
            "event: order\nretry: 1\ndata: {\"id\":7,\"note\":\"\\u00E9\\u003C\"}\nid: i\n\n",
            Encoded.Text(SseEvent.Json(Seven) with { EventType = "order", EventId = "i", ReconnectionInterval = TimeSpan.FromMilliseconds(1) }));
    }

    [Fact]
    public void Values_of_every_shape_become_json()
    {
        Assert.Equal("data: null\n\n", Encoded.Text(SseEvent.Json<Order?>(null)));
        Assert.Equal("data: null\n\n", Encoded.Text(SseEvent.Json<int?>(null)));
        Assert.Equal("data: null\n\n", Encoded.Text(SseEvent.Json<object?>(null)));
        Assert.Equal("data: 5\n\n", Encoded.Text(SseEvent.Json(5)));
        Assert.Equal("data: 5\n\n", Encoded.Text(SseEvent.Json<int?>(5)));
        Assert.Equal("data: 5\n\n", Encoded.Text(SseEvent.Json<object>(5)));
        Assert.Equal("data: \"a\\nb\"\n\n", Encoded.Text(SseEvent.Json("a\nb")));
        Assert.Equal("data: \"AQI=\"\n\n", Encoded.Text(SseEvent.Json(new byte[] { 1, 2 })));
        Assert.Equal("data: [1,2]\n\n", Encoded.Text(SseEvent.Json(new[] { 1, 2 })));
        Assert.Equal("data: [1,2]\n\n", Encoded.Text(SseEvent.Json<IEnumerable<int>>(new List<int> { 1, 2 })));
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void Indented_json_is_split_like_any_text(string newLine)
    {
        var indented = new JsonSerializerOptions(Encoded.WebJson) { WriteIndented = true, NewLine = newLine, IndentCharacter = '\t', IndentSize = 1 };

        Assert.Equal("data: {\ndata: \t\"id\": 7,\ndata: \t\"note\": null\ndata: }\n\n", Encoded.Text(SseEvent.Json(new Order { Id = 7 }), indented));
    }

    [Fact]
    public void The_options_encoder_and_depth_are_kept()
    {
        var relaxed = new JsonSerializerOptions(Encoded.WebJson) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

        Assert.Equal("data: {\"id\":7,\"note\":\"é<\"}\n\n", Encoded.Text(SseEvent.Json(Seven), relaxed));
        // The writer is kept between events: the next one's options are another's.
        Assert.Equal("data: {\"id\":7,\"note\":\"\\u00E9\\u003C\"}\n\n", Encoded.Text(SseEvent.Json(Seven)));
        Assert.Equal("data: {\"id\":7,\"note\":\"é<\"}\n\n", Encoded.Text(SseEvent.Json(Seven), relaxed));

        var deep = new JsonSerializerOptions(Encoded.WebJson) { MaxDepth = 2 };
        Assert.Throws<JsonException>(() => Encoded.Text(SseEvent.Json(new[] { new[] { new[] { 1 } } }), deep));
        Assert.Equal("data: [[[1]]]\n\n", Encoded.Text(SseEvent.Json(new[] { new[] { new[] { 1 } } })));
    }

    [Fact]
    public void Raw_json_with_line_ends_cannot_break_out_of_its_field()
    {
        var raw = With(new RawConverter());

        Assert.Equal("data: {\ndata: \"a\":\ndata: 1}\ndata: \ndata: id: 9\n\n", Encoded.Text(SseEvent.Json(new RawJson("{\r\n\"a\":\r1}\n\nid: 9")), raw));
        Assert.Equal("data: [{\ndata: }]\n\n", Encoded.Text(SseEvent.Json(new[] { new RawJson("{\n}") }), raw));
    }

    [Fact]
    public void A_derived_value_is_written_by_its_own_contract()
    {
        Assert.Equal("data: {\"bark\":\"wuff\",\"name\":\"Rex\"}\n\n", Encoded.Text(SseEvent.Json<Animal>(new Dog { Name = "Rex", Bark = "wuff" })));
        Assert.Equal("data: {\"bark\":\"wuff\",\"name\":\"Rex\"}\n\n", Encoded.Text(SseEvent.Json<object>(new Dog { Name = "Rex", Bark = "wuff" })));
        Assert.Equal("data: {\"name\":\"Cat\"}\n\n", Encoded.Text(SseEvent.Json<INamed>(new Animal { Name = "Cat" })));
    }

    [Fact]
    public void A_contract_that_knows_its_derived_types_is_used_with_its_discriminator()
    {
        Assert.Equal("data: {\"$type\":\"circle\",\"radius\":2}\n\n", Encoded.Text(SseEvent.Json<Shape>(new Circle { Radius = 2 })));
        Assert.Equal("data: {\"radius\":2}\n\n", Encoded.Text(SseEvent.Json(new Circle { Radius = 2 })));
    }

    [Fact]
    public void A_given_contract_needs_no_reflection_and_is_the_one_used()
    {
        Assert.Equal("data: {\"Id\":7,\"Note\":\"\\u00E9\\u003C\"}\n\n", Encoded.Text(SseEvent.Json(Seven, FrameJson.Default.Order), json: new JsonSerializerOptions()));
        Assert.Equal("data: {\"Name\":\"Rex\"}\n\n", Encoded.Text(SseEvent.Json(new Dog { Name = "Rex" }, FrameJson.Default.Animal)));
        Assert.Equal("data: null\n\n", Encoded.Text(SseEvent.Json(null, FrameJson.Default.Order!)));
        Assert.Equal(
            "event: t\ndata: {\"Name\":\"Rex\"}\n\n",
            Encoded.Text(SseEvent.From(new SseItem<Animal>(new Dog { Name = "Rex" }, "t"), FrameJson.Default.Animal)));
    }

    [Fact]
    public async Task Values_of_a_result_are_written_by_the_contract_that_it_was_given()
    {
        var animals = new[] { new Animal { Name = "Cat" }, new Dog { Name = "Rex", Bark = "wuff" } };

        Assert.Equal("data: {\"name\":\"Cat\"}\n\ndata: {\"bark\":\"wuff\",\"name\":\"Rex\"}\n\n", await BodyOf(EventSourceResult.From(animals.ToAsyncEnumerable())));
        Assert.Equal(
            "event: a\ndata: {\"Name\":\"Cat\"}\n\nevent: a\ndata: {\"Name\":\"Rex\"}\n\n",
            await BodyOf(EventSourceResult.From(animals.ToAsyncEnumerable(), "a", FrameJson.Default.Animal)));
        Assert.Equal(
            "data: {\"$type\":\"circle\",\"radius\":2}\n\n",
            await BodyOf(EventSourceResult.From(new Shape[] { new Circle { Radius = 2 } }.ToAsyncEnumerable())));
    }

    [Fact]
    public async Task Strings_and_bytes_of_a_result_are_sent_as_they_are()
    {
        Assert.Equal("data: a\ndata: b\n\ndata: \n\n", await BodyOf(EventSourceResult.From(new[] { "a\nb", null }.ToAsyncEnumerable())));
        Assert.Equal("event: t\ndata: a\n\n", await BodyOf(EventSourceResult.From(new[] { "a" }.ToAsyncEnumerable(), "t")));
        Assert.Equal("event: t\ndata: ab\n\n", await BodyOf(EventSourceResult.From(new[] { "ab"u8.ToArray() }.ToAsyncEnumerable(), "t")));
        Assert.Equal("data: a\nid: 1\n\n", await BodyOf(EventSourceResult.From(new[] { new SseItem<string>("a") { EventId = "1" } }.ToAsyncEnumerable())));
        Assert.Equal("data: {\"id\":7,\"note\":null}\nid: 1\n\n", await BodyOf(EventSourceResult.From(
            new[] { new SseItem<Order>(new Order { Id = 7 }) { EventId = "1" } }.ToAsyncEnumerable())));
    }

    [Fact]
    public void A_converter_may_itself_encode_an_event()
    {
        var options = With(new NestedConverter());

        Assert.Equal(
            "data: [\"data: 1\\n\\n\",\"data: 2\\n\\n\"]\n\n",
            Encoded.Text(SseEvent.Json(new[] { new Nested(1), new Nested(2) }), options));
        Assert.Equal("data: \"data: 3\\n\\n\"\n\n", Encoded.Text(SseEvent.Json(new Nested(3)), options));
    }

    [Fact]
    public void A_getter_that_throws_leaves_nothing_behind()
    {
        var frames = ScratchFrames.Rent();
        var bad = SseEvent.Json(new Throwing()) with { EventType = "t", ReconnectionInterval = TimeSpan.Zero, EventId = "i" };
        for (var i = 0; i < 3; i++)
        {
            Assert.Throws<InvalidTimeZoneException>(() => EventFrame.Write(frames, bad, Encoded.WebJson));
            Assert.Throws<InvalidTimeZoneException>(() => EventFrame.WriteJson(frames, "t", new Throwing(), Contract<Throwing>(), Encoded.WebJson));
            Assert.Equal(0, frames.Written.Length);
        }

        EventFrame.Write(frames, SseEvent.Json(5), Encoded.WebJson);
        Assert.Equal("data: 5\n\n"u8, frames.Written);
    }

    [Fact]
    public async Task A_value_that_changes_after_it_was_yielded_is_sent_as_it_was()
    {
        var order = new Order();
        var bytes = new byte[] { (byte)'a' };
        async IAsyncEnumerable<SseEvent> Source()
        {
            for (; order.Id < 3; order.Id++, bytes[0]++)
            {
                yield return SseEvent.Json(order);
                order.Note = "changed";
                yield return SseEvent.Utf8(bytes);
                await Task.Yield();
            }
        }

        Assert.Equal(
            "data: {\"id\":0,\"note\":null}\n\ndata: a\n\ndata: {\"id\":1,\"note\":\"changed\"}\n\ndata: b\n\ndata: {\"id\":2,\"note\":\"changed\"}\n\ndata: c\n\n",
            await BodyOf(new EventSourceResult(Source())));
    }

    [Fact]
    public async Task A_value_that_changes_while_it_is_being_published_is_stored_as_it_was()
    {
        var store = new WaitingBacklog();
        await using var services = new ServiceCollection().AddSingleton<ISseBacklog>(store).AddSse().Services.BuildServiceProvider();
        var topics = services.GetRequiredService<ISseTopics>();
        var order = new Order { Id = 1 };
        var bytes = "old"u8.ToArray();

        var first = topics.PublishAsync("t", SseEvent.Json(order), TestContext.Current.CancellationToken).AsTask();
        order.Id = 2;
        var second = topics.PublishAsync("t", SseEvent.Utf8(bytes), TestContext.Current.CancellationToken).AsTask();
        "new"u8.CopyTo(bytes);
        store.Open.SetResult();
        await Task.WhenAll(first, second);

        Assert.Equal(["data: old\n", "data: {\"id\":1,\"note\":null}\n"], store.Frames.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Json_means_the_minimal_api_options_in_mvc_too()
    {
        Assert.Equal("data: {\"the_id\":1}\n\n", await FromApp("/wire/minimal", overriding: false));
        Assert.Equal("data: {\"the_id\":1}\n\n", await FromApp("/wire/mvc", overriding: false));
        Assert.Equal("data: {\"THE_ID\":1}\n\n", await FromApp("/wire/minimal", overriding: true));
        Assert.Equal("data: {\"THE_ID\":1}\n\n", await FromApp("/wire/mvc", overriding: true));
    }

    private static async Task<string> FromApp(string path, bool overriding)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);
        builder.Services.AddControllers().AddJsonOptions(json => json.JsonSerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.KebabCaseUpper)
            .AddApplicationPart(typeof(JsonFrameTests).Assembly);
        if (overriding)
        {
            builder.Services.AddSse(sse => sse.JsonSerializerOptions = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseUpper });
        }

        await using var app = builder.Build();
        app.MapGet("/wire/minimal", () => EventSourceResult.From(new[] { new Stamp(1) }.ToAsyncEnumerable()));
        app.MapControllers();
        await app.StartAsync(TestContext.Current.CancellationToken);
        return await app.GetTestClient().GetStringAsync(path, TestContext.Current.CancellationToken);
    }

    private static JsonSerializerOptions With(JsonConverter converter) => new(Encoded.WebJson) { Converters = { converter } };

    private static JsonTypeInfo<T> Contract<T>() =>
        (JsonTypeInfo<T>)Encoded.WebJson.GetTypeInfo(typeof(T));

    private static async Task<string> BodyOf(EventSourceResult result)
    {
        var body = new MemoryStream();
        await result.ExecuteAsync(new DefaultHttpContext { Response = { Body = body } });
        return Encoding.UTF8.GetString(body.ToArray());
    }

    public interface INamed
    {
        string? Name { get; }
    }

    public sealed class Order
    {
        public int Id { get; set; }

        public string? Note { get; set; }
    }

    public class Animal : INamed
    {
        public string? Name { get; init; }
    }

    public sealed class Dog : Animal
    {
        public string? Bark { get; init; }
    }

    [JsonPolymorphic]
    [JsonDerivedType(typeof(Circle), "circle")]
    public abstract class Shape;

    public sealed class Circle : Shape
    {
        public int Radius { get; init; }
    }

    public sealed record Stamp(int TheId);

    [JsonSerializable(typeof(Order))]
    [JsonSerializable(typeof(Animal))]
    internal sealed partial class FrameJson : JsonSerializerContext;

    private sealed record RawJson(string Text);

    private sealed record Nested(int Value);

    private sealed class Throwing
    {
        // Long enough that the writer has handed some of it over before the getter throws.
        public string Before { get; } = new('x', 100_000);

        public int After => Before.Length == 0 ? 0 : throw new InvalidTimeZoneException();
    }

    private sealed class RawConverter : JsonConverter<RawJson>
    {
        public override RawJson Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, RawJson value, JsonSerializerOptions options) =>
            writer.WriteRawValue(value.Text, skipInputValidation: true);
    }

    private sealed class NestedConverter : JsonConverter<Nested>
    {
        public override Nested Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, Nested value, JsonSerializerOptions options) =>
            writer.WriteStringValue(EventFrame.Encode(SseEvent.Json(value.Value), options));
    }

    private sealed class WaitingBacklog : ISseBacklog
    {
        public TaskCompletionSource Open { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<string> Frames { get; } = [];

        public async ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken)
        {
            await Open.Task;
            lock (Frames)
            {
                Frames.Add(Encoding.UTF8.GetString(append.Frame.Span));
                return new SseEntry { Id = $"{Frames.Count}", PreviousId = $"{Frames.Count - 1}", Frame = append.Frame };
            }
        }

        public ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}

/// <summary>MVC finds only controllers that are nested in nothing.</summary>
public sealed class StampController : ControllerBase
{
    private readonly JsonFrameTests.Stamp _stamp = new(1);

    [HttpGet("/wire/mvc")]
    public EventSourceResult Get() => new(new[] { SseEvent.Json(_stamp) }.ToAsyncEnumerable());
}
