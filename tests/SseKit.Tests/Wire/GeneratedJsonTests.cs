using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>What the source generator has made to write a type is used, where it writes the same bytes as the app's options do.</summary>
public sealed partial class GeneratedJsonTests
{
    private const string Text = "é<\"'&+\\ 👩‍🚀\u2028";

    private static readonly Dictionary<string, object> Values = new()
    {
        ["plain"] = new Plain(7, Text, 1.5, DateTimeOffset.UnixEpoch, Guid.Empty, null),
        ["nested"] = new Nested([new(1, "é", 2, default, default, 3), null], new() { ["<ключ>"] = [1, 2] }, new([null], [], null)),
        ["struct"] = new Point(1, 2),
        ["name that encoders differ on"] = new Accented(1),
        ["name of another encoder in a member"] = new Holds<Accented>(new(1)),
        ["enum"] = new Holds<Färbung>(Färbung.Größer),
        ["enum or none"] = new Holds<Färbung?>(Färbung.Größer),
        ["key that is an enum"] = new Holds<Dictionary<Färbung, int>>(new() { [Färbung.Größer] = 1 }),
        ["any value"] = new Holds<object>(Text),
        ["converter of a type"] = new Holds<Converted>(new()),
        ["converter of a member's property"] = new Holds<ConvertsProperty>(new(Text)),
        ["converter in a list"] = new Holds<List<Converted>>([new()]),
        ["converter in a dictionary"] = new Holds<Dictionary<string, Converted>>(new() { ["k"] = new() }),
        ["derived types"] = new Holds<Shape>(new Circle { Ümfang = 1 }),
        ["members of no name"] = new Holds<Open>(new() { Rest = new() { ["é"] = JsonSerializer.SerializeToElement(Text) } }),
    };

    private static readonly string[] Qualify = ["plain", "nested", "struct"];

    public static TheoryData<string> Names => [.. Values.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_bytes_are_those_of_the_apps_options(string name)
    {
        var expected = Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(Values[name], Relaxed().GetTypeInfo(Values[name].GetType())));
        var contract = Relaxed().GetTypeInfo(Values[name].GetType());

        Assert.Equal($"data: {expected}\n\n", Write((dynamic)Values[name], (dynamic)contract));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_type_qualifies_whose_names_are_the_same_by_any_encoder(string name)
    {
        var contract = Relaxed().GetTypeInfo(Values[name].GetType());

        var generated = (JsonTypeInfo)GeneratedJson.Of((dynamic)contract);

        Assert.Equal(Qualify.Contains(name), generated != contract);
        Assert.Same(generated, (JsonTypeInfo)GeneratedJson.Of((dynamic)contract));
    }

    [Fact]
    public void It_is_the_same_for_all_types_of_the_same_options()
    {
        var options = Relaxed();

        Assert.Same(
            GeneratedJson.Of((JsonTypeInfo<Plain>)options.GetTypeInfo(typeof(Plain))).Options, GeneratedJson.Of((JsonTypeInfo<Point>)options.GetTypeInfo(typeof(Point))).Options);
    }

    [Fact]
    public void Nothing_is_changed_where_it_is_used_already_or_there_is_none()
    {
        var reflected = (JsonTypeInfo<Plain>)new JsonSerializerOptions(Relaxed()) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() }.GetTypeInfo(typeof(Plain));
        var converting = Relaxed();
        converting.Converters.Add(new UpperCase());
        var own = (JsonTypeInfo<Plain>)converting.GetTypeInfo(typeof(Plain));

        Assert.Same(GeneratedContracts.Default.Plain, GeneratedJson.Of(GeneratedContracts.Default.Plain));
        Assert.Same(reflected, GeneratedJson.Of(reflected));
        Assert.Same(own, GeneratedJson.Of(own));
    }

    [Fact]
    public void A_value_that_holds_itself_fails_and_leaves_nothing_behind()
    {
        var loop = new Loop();
        loop.Next = loop;
        var contract = (JsonTypeInfo<Loop>)Relaxed().GetTypeInfo(typeof(Loop));
        Assert.NotSame(contract, GeneratedJson.Of(contract));
        var frames = ScratchFrames.Rent();

        var failure = Assert.Throws<InvalidOperationException>(() => EventFrame.WriteJson(frames, eventType: null, loop, GeneratedJson.Of(contract), contract.Options));

        Assert.Contains("64", failure.Message, StringComparison.Ordinal);
        Assert.Equal(0, frames.Written.Length);
    }

    [Fact]
    public async Task A_result_has_its_values_written_by_it_in_an_app()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, GeneratedContracts.Default));
        await using var app = builder.Build();
        app.MapGet("/", () => new EventSourceResult<Witness>(new Witness[] { new(), new DerivedWitness() }.ToAsyncEnumerable()));
        await app.StartAsync(TestContext.Current.CancellationToken);

        Assert.Equal(
            "data: {\"byGenerated\":true,\"text\":\"é<\"}\n\ndata: {\"größe\":\"é<\",\"byGenerated\":false,\"text\":\"é<\"}\n\n",
            await app.GetTestClient().GetStringAsync("/", TestContext.Current.CancellationToken));
    }

    private static JsonSerializerOptions Relaxed() => new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = JsonTypeInfoResolver.Combine(GeneratedContracts.Default, new DefaultJsonTypeInfoResolver()),
    };

    private static string Write<T>(T value, JsonTypeInfo<T> contract)
    {
        var frames = ScratchFrames.Rent();
        EventFrame.WriteJson(frames, eventType: null, value, GeneratedJson.Of(contract), contract.Options);
        var text = Encoding.UTF8.GetString(frames.Written);
        frames.Return();
        return text;
    }

    internal enum Färbung
    {
        Größer,
    }

    internal sealed record Plain(int Number, string Text, double Price, DateTimeOffset At, Guid Id, int? Maybe);

    internal sealed record Nested(List<Plain?> Items, Dictionary<string, int[]> ByKey, Nested? Inner);

    internal readonly record struct Point(int X, int Y);

    internal sealed record Accented(int Größe);

    internal sealed record Holds<T>(T Value);

    internal sealed class ConvertsProperty(string value)
    {
        [JsonConverter(typeof(UpperCase))]
        public string Value => value;
    }

    [JsonConverter(typeof(EncoderName))]
    internal sealed class Converted;

    [JsonDerivedType(typeof(Circle), "circle")]
    internal class Shape;

    internal sealed class Circle : Shape
    {
        public int Ümfang { get; set; }
    }

    internal sealed class Open
    {
        [JsonExtensionData]
        public Dictionary<string, JsonElement> Rest { get; set; } = [];
    }

    internal sealed class Loop
    {
        public Loop? Next { get; set; }
    }

    internal class Witness
    {
        public bool ByGenerated => Text.Length > 0 && new StackTrace().ToString().Contains("WitnessSerializeHandler", StringComparison.Ordinal);

        public string Text { get; } = "é<";
    }

    internal sealed class DerivedWitness : Witness
    {
        public string Größe { get; } = "é<";
    }

    private sealed class UpperCase : JsonConverter<string>
    {
        public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToUpperInvariant());
    }

    // Tells which options it was given.
    private sealed class EncoderName : JsonConverter<Converted>
    {
        public override Converted Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, Converted value, JsonSerializerOptions options) => writer.WriteStringValue(options.Encoder?.GetType().Name ?? "none");
    }

    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true)]
    [JsonSerializable(typeof(Plain))]
    [JsonSerializable(typeof(Nested))]
    [JsonSerializable(typeof(Point))]
    [JsonSerializable(typeof(Accented))]
    [JsonSerializable(typeof(Holds<Accented>), TypeInfoPropertyName = "HoldsAccented")]
    [JsonSerializable(typeof(Holds<Färbung>), TypeInfoPropertyName = "HoldsEnum")]
    [JsonSerializable(typeof(Holds<Färbung?>), TypeInfoPropertyName = "HoldsEnumOrNone")]
    [JsonSerializable(typeof(Holds<Dictionary<Färbung, int>>), TypeInfoPropertyName = "HoldsEnumKeys")]
    [JsonSerializable(typeof(Holds<object>), TypeInfoPropertyName = "HoldsObject")]
    [JsonSerializable(typeof(string))]
    [JsonSerializable(typeof(Holds<Converted>), TypeInfoPropertyName = "HoldsConverted")]
    [JsonSerializable(typeof(Holds<List<Converted>>), TypeInfoPropertyName = "HoldsConvertedList")]
    [JsonSerializable(typeof(Holds<Dictionary<string, Converted>>), TypeInfoPropertyName = "HoldsConvertedByKey")]
    [JsonSerializable(typeof(Holds<ConvertsProperty>), TypeInfoPropertyName = "HoldsConvertsProperty")]
    [JsonSerializable(typeof(Holds<Shape>), TypeInfoPropertyName = "HoldsShape")]
    [JsonSerializable(typeof(Holds<Open>), TypeInfoPropertyName = "HoldsOpen")]
    [JsonSerializable(typeof(Loop))]
    [JsonSerializable(typeof(Witness))]
    private sealed partial class GeneratedContracts : JsonSerializerContext;
}
