using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SseKit.Wire;

/// <summary>
/// A value as JSON in scratch memory, before anything of its event is written: a getter or converter that throws half-way leaves nothing
/// behind. The caller splits the lines (indented JSON, or raw JSON with line breaks from a converter) and returns the scratch.
/// </summary>
internal static class JsonText
{
    [ThreadStatic]
    private static Utf8JsonWriter? t_writer;

    [ThreadStatic]
    private static JsonSerializerOptions? t_writerOptions;

    /// <param name="value">The value.</param>
    /// <param name="contract">The contract of its declared type.</param>
    /// <param name="given">Whether the user named the contract; then it is used for derived values too, whose own its context may not hold.</param>
    public static ScratchFrames Serialize<T>(T value, JsonTypeInfo<T> contract, bool given)
    {
        var scratch = ScratchFrames.Rent();
        var writer = RentWriter(scratch, contract.Options);
        if (given || Fits(contract, value))
        {
            JsonSerializer.Serialize(writer, value, contract);
        }
        else
        {
            JsonSerializer.Serialize(writer, value, contract.Options.GetTypeInfo(value!.GetType()));
        }

        ReturnWriter(writer, contract.Options);
        return scratch;
    }

    public static ScratchFrames Serialize(in SseEvent item, JsonSerializerOptions options)
    {
        var contract = item.JsonContract;
        if (contract is null)
        {
            contract = options.GetTypeInfo(item.JsonType!);
            contract = Fits(contract, item.JsonValue) ? contract : options.GetTypeInfo(item.JsonValue!.GetType());
        }

        var scratch = ScratchFrames.Rent();
        var writer = RentWriter(scratch, contract.Options);
        JsonSerializer.Serialize(writer, item.JsonValue, contract);
        ReturnWriter(writer, contract.Options);
        return scratch;
    }

    // A value of a derived type is written by its own contract unless the declared one knows its derived types: as minimal APIs do.
    private static bool Fits<T>(JsonTypeInfo contract, T value) =>
        contract.Type.IsValueType || contract.Type.IsSealed || value is null || contract.Type == value.GetType() || contract.PolymorphismOptions is not null;

    private static Utf8JsonWriter RentWriter(ScratchFrames scratch, JsonSerializerOptions options)
    {
        var writer = t_writer;
        t_writer = null;
        if (writer is not null && ReferenceEquals(t_writerOptions, options))
        {
            writer.Reset(scratch);
            return writer;
        }

        return new Utf8JsonWriter(scratch, new JsonWriterOptions
        {
            Encoder = options.Encoder,
            Indented = options.WriteIndented,
            IndentCharacter = options.IndentCharacter,
            IndentSize = options.IndentSize,
            NewLine = options.NewLine,
            MaxDepth = options.MaxDepth,
            SkipValidation = true,
        });
    }

    private static void ReturnWriter(Utf8JsonWriter writer, JsonSerializerOptions options)
    {
        writer.Flush();
        t_writer = writer;
        t_writerOptions = options;
    }
}
