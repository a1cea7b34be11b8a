using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SseKit.Wire;

/// <summary>
/// A value as JSON in scratch memory, before anything of its event is written: a getter or converter that throws half-way leaves nothing
/// behind. The caller splits the lines (indented JSON, or raw JSON with line breaks from a converter) and returns the scratch.
/// </summary>
internal static class JsonText
{
    /// <param name="value">The value.</param>
    /// <param name="contract">The contract of its declared type.</param>
    /// <param name="given">Whether the user named the contract; then it is used for derived values too, whose own its context may not hold.</param>
    public static ScratchFrames Serialize<T>(T value, JsonTypeInfo<T> contract, bool given)
    {
        var scratch = ScratchFrames.Rent();
        var writer = scratch.Json(contract.Options);
        if (given || Fits(contract, value))
        {
            JsonSerializer.Serialize(writer, value, contract);
        }
        else
        {
            JsonSerializer.Serialize(writer, value, contract.Options.GetTypeInfo(value!.GetType()));
        }

        writer.Flush();
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
        var writer = scratch.Json(contract.Options);
        JsonSerializer.Serialize(writer, item.JsonValue, contract);
        writer.Flush();
        return scratch;
    }

    // A value of a derived type is written by its own contract unless the declared one knows its derived types: as minimal APIs do.
    private static bool Fits<T>(JsonTypeInfo contract, T value) =>
        contract.Type.IsValueType || contract.Type.IsSealed || value is null || contract.Type == value.GetType() || contract.PolymorphismOptions is not null;
}
