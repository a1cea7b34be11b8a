using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace SseKit.Wire;

/// <summary>
/// Has a type written by the method that the source generator made for it, where the serializer would step through its properties instead only
/// because its options name an encoder, as ASP.NET's do. The encoder that values are written with is the writer's; by the options' one go names
/// alone, so a type qualifies whose names are the same by any.
/// </summary>
internal static class GeneratedJson
{
    private static readonly ConditionalWeakTable<JsonSerializerOptions, JsonSerializerOptions> WithoutEncoder = [];
    private static readonly ConditionalWeakTable<JsonTypeInfo, JsonTypeInfo> Contracts = [];

    /// <summary>The contract that writes the same bytes faster; <paramref name="contract"/> itself where there is none.</summary>
    public static JsonTypeInfo<T> Of<T>(JsonTypeInfo<T> contract) =>
        contract.SerializeHandler is null || contract.Options.Encoder is null ? contract : (JsonTypeInfo<T>)Contracts.GetValue(contract, Find);

    private static JsonTypeInfo Find(JsonTypeInfo contract) =>
        contract.Options.Converters.Count == 0 && IsPlain(contract, [])
            ? WithoutEncoder.GetValue(contract.Options, static options => new(options) { Encoder = null }).GetTypeInfo(contract.Type)
            : contract;

    // Converters that apps bring may look at the options; so may what writes enums, for their names, and what looks for a value's own type.
    private static bool IsPlain(JsonTypeInfo contract, HashSet<Type> seen)
    {
        if (!seen.Add(contract.Type))
        {
            return true;
        }

        return contract.PolymorphismOptions is null && contract.Kind switch
        {
            JsonTypeInfoKind.Object => contract.Properties.All(property =>
                property.CustomConverter is null && IsSameByAnyEncoder(property.Name, contract.Options) && IsPlainType(property.PropertyType)),
            JsonTypeInfoKind.Enumerable => IsPlainType(contract.ElementType!),
            JsonTypeInfoKind.Dictionary => contract.KeyType == typeof(string) && IsPlainType(contract.ElementType!),
            _ => IsSimple(Nullable.GetUnderlyingType(contract.Type) ?? contract.Type),
        };

        bool IsPlainType(Type type) => contract.Options.TryGetTypeInfo(type, out var other) && IsPlain(other, seen);
    }

    private static bool IsSameByAnyEncoder(string name, JsonSerializerOptions options) =>
        JavaScriptEncoder.Default.Encode(name) == name && options.Encoder!.Encode(name) == name;

    private static bool IsSimple(Type type) =>
        (Type.GetTypeCode(type) is not TypeCode.Object && !type.IsEnum)
        || type == typeof(Guid) || type == typeof(DateTimeOffset) || type == typeof(TimeSpan) || type == typeof(DateOnly) || type == typeof(TimeOnly) || type == typeof(byte[]);
}
