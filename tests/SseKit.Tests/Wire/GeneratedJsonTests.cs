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
        ["plain"] = new Plain(7, Text, 1.5, 'é', 2.50m, true, DateTimeOffset.UnixEpoch, DateTime.UnixEpoch, Guid.Empty, null),
        ["struct"] = new Point(1, 2),
        ["member that is never written"] = new Ignores(1, new Accented(2)),
        ["name that encoders differ on"] = new Accented(1),
        ["nested"] = new Holds<Accented>(new(1)),
        ["list"] = new Holds<List<int>>([1]),
        ["nullable"] = new Holds<int?>(1),
        ["span of time"] = new Holds<TimeSpan>(TimeSpan.FromSeconds(1)),
        ["bytes"] = new Holds<byte[]?>(null),
        ["enum"] = new Holds<Färbung>(Färbung.Größer),
        ["any value"] = new Holds<object>(Text),
        ["type with a converter"] = new Holds<Converted>(new()),
        ["property with a converter"] = new ConvertsProperty(Text),
        ["numbers as strings"] = new Quoted(5),
        ["all numbers as strings"] = new AllQuoted(5),
        ["derived types"] = new Circle { Radius = 1 },
        ["callback"] = new Told(1),
        ["members of no name"] = new Open { Rest = new() { ["é"] = JsonSerializer.SerializeToElement(Text) } },
    };

    private static readonly string[] Qualify = ["plain", "struct", "member that is never written"];

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

        Assert.Same(GeneratedJson.Of(ContractOf<Plain>(options)).Options, GeneratedJson.Of(ContractOf<Point>(options)).Options);
    }

    [Fact]
    public void Nothing_is_changed_where_it_is_used_already_or_there_is_none()
    {
        var reflected = ContractOf<Plain>(Relaxed(options => options.TypeInfoResolver = new DefaultJsonTypeInfoResolver()));

        Assert.Same(GeneratedContracts.Default.Plain, GeneratedJson.Of(GeneratedContracts.Default.Plain));
        Assert.Same(reflected, GeneratedJson.Of(reflected));
    }

    public static TheoryData<string, Action<JsonSerializerOptions>> Demanding => new()
    {
        { "a converter", options => options.Converters.Add(new UpperCase()) },
        { "no members without setters", options => options.IgnoreReadOnlyProperties = true },
        { "no fields that are read-only", options => options.IgnoreReadOnlyFields = true },
        { "no nulls where none belong", options => options.RespectNullableAnnotations = true },
        { "changed contracts", options => options.TypeInfoResolver = GeneratedContracts.Default.WithAddedModifier(_ => { }) },
        { "changed contracts of others", options => options.TypeInfoResolverChain.Add(new DefaultJsonTypeInfoResolver { Modifiers = { _ => { } } }) },
        { "a resolver of its own", options => options.TypeInfoResolverChain.Add(new NoContracts()) },
    };

    [Theory]
    [MemberData(nameof(Demanding))]
    public void Options_that_ask_for_more_are_left_alone(string what, Action<JsonSerializerOptions> ask)
    {
        Assert.NotEmpty(what);
        var contract = ContractOf<Plain>(Relaxed(ask));

        Assert.Same(contract, GeneratedJson.Of(contract));
    }

    [Fact]
    public void A_nullable_struct_is_no_type_without_members()
    {
        var contract = ContractOf<Maß?>(Relaxed());

        Assert.Equal("data: {\"größe\":1}\n\n", Write(new Maß(1), contract));
    }

    // Or else each stream would have its contract made anew.
    [Fact]
    public void The_options_are_closed_as_by_the_first_value()
    {
        var options = Relaxed();

        GeneratedJson.Of(ContractOf<Plain>(options));

        Assert.True(options.IsReadOnly);
        Assert.Same(GeneratedJson.Of(ContractOf<Plain>(options)), GeneratedJson.Of(ContractOf<Plain>(options)));
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

    private static JsonTypeInfo<T> ContractOf<T>(JsonSerializerOptions options) => (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T));

    private static JsonSerializerOptions Relaxed(Action<JsonSerializerOptions>? change = null)
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            TypeInfoResolver = JsonTypeInfoResolver.Combine(GeneratedContracts.Default, new DefaultJsonTypeInfoResolver()),
        };
        change?.Invoke(options);
        return options;
    }

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

    internal sealed record Plain(
        int Number, string Text, double Price, char Letter, decimal Amount, bool Open, DateTimeOffset At, DateTime Day, Guid Id, string? None);

    internal readonly record struct Point(int X, int Y);

    internal readonly record struct Maß(int Größe);

    internal sealed record Ignores(int Number, [property: JsonIgnore] Accented Hidden);

    internal sealed record Quoted([property: JsonNumberHandling(JsonNumberHandling.WriteAsString)] int Number);

    [JsonNumberHandling(JsonNumberHandling.WriteAsString)]
    internal sealed record AllQuoted(int Number);

    internal record struct Told(int Number) : IJsonOnSerializing
    {
        public void OnSerializing() => Number++;
    }

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
    public class Circle
    {
        public int Radius { get; set; }
    }

    internal sealed class Open
    {
        [JsonExtensionData]
        public Dictionary<string, JsonElement> Rest { get; set; } = [];
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

    private sealed class NoContracts : IJsonTypeInfoResolver
    {
        public JsonTypeInfo? GetTypeInfo(Type type, JsonSerializerOptions options) => null;
    }

    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true)]
    [JsonSerializable(typeof(Plain))]
    [JsonSerializable(typeof(Point))]
    [JsonSerializable(typeof(Maß?), TypeInfoPropertyName = "MaybeMaß")]
    [JsonSerializable(typeof(Ignores))]
    [JsonSerializable(typeof(Accented))]
    [JsonSerializable(typeof(Holds<Accented>), TypeInfoPropertyName = "HoldsAccented")]
    [JsonSerializable(typeof(Holds<List<int>>), TypeInfoPropertyName = "HoldsList")]
    [JsonSerializable(typeof(Holds<int?>), TypeInfoPropertyName = "HoldsNullable")]
    [JsonSerializable(typeof(Holds<TimeSpan>), TypeInfoPropertyName = "HoldsTimeSpan")]
    [JsonSerializable(typeof(Holds<byte[]>), TypeInfoPropertyName = "HoldsBytes")]
    [JsonSerializable(typeof(Holds<Färbung>), TypeInfoPropertyName = "HoldsEnum")]
    [JsonSerializable(typeof(Holds<object>), TypeInfoPropertyName = "HoldsObject")]
    [JsonSerializable(typeof(string))]
    [JsonSerializable(typeof(Holds<Converted>), TypeInfoPropertyName = "HoldsConverted")]
    [JsonSerializable(typeof(ConvertsProperty))]
    [JsonSerializable(typeof(Quoted))]
    [JsonSerializable(typeof(AllQuoted))]
    [JsonSerializable(typeof(Circle))]
    [JsonSerializable(typeof(Told))]
    [JsonSerializable(typeof(Open))]
    [JsonSerializable(typeof(Witness))]
    private sealed partial class GeneratedContracts : JsonSerializerContext;
}
