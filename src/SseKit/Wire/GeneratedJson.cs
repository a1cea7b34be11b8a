using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace SseKit.Wire;

/// <summary>
/// Has a type written by the method that the source generator made for it, where the serializer would step through its properties instead only
/// because its options name an encoder, as ASP.NET's do. The encoder that values are written with is the writer's; by the options' one go names
/// alone, so a type qualifies whose names are the same by any.
/// </summary>
/// <remarks>
/// Only where the two are known to write the same bytes: types with nothing but members that the method writes by itself. Others it leaves to
/// contracts of its context's own options, and it differs in nulls of byte arrays (https://github.com/dotnet/runtime/issues/129833), in members
/// without setters, and in callbacks of structs.
/// </remarks>
internal static class GeneratedJson
{
    private static readonly ConditionalWeakTable<JsonSerializerOptions, JsonSerializerOptions> WithoutEncoder = [];
    private static readonly ConditionalWeakTable<JsonTypeInfo, JsonTypeInfo> Contracts = [];

    /// <summary>The contract that writes the same bytes faster; <paramref name="contract"/> itself where there is none.</summary>
    public static JsonTypeInfo<T> Of<T>(JsonTypeInfo<T> contract) =>
        contract.SerializeHandler is null || contract.Options.Encoder is null ? contract : (JsonTypeInfo<T>)Contracts.GetValue(contract, Find);

    private static JsonTypeInfo Find(JsonTypeInfo contract)
    {
        // As the serializer does with the first value: until then each question for a contract makes a new one.
        contract.Options.MakeReadOnly();
        return ArePlain(contract.Options) && IsPlain(contract)
            ? WithoutEncoder.GetValue(contract.Options, static options => new(options) { Encoder = null }).GetTypeInfo(contract.Type)
            : contract;
    }

    // What changes contracts or converters may look at the options, and what the rest asks for the method does not always do.
    private static bool ArePlain(JsonSerializerOptions options) =>
        options is { Converters.Count: 0, IgnoreReadOnlyProperties: false, IgnoreReadOnlyFields: false, RespectNullableAnnotations: false }
        && options.TypeInfoResolverChain.All(resolver =>
            resolver is JsonSerializerContext || (resolver.GetType() == typeof(DefaultJsonTypeInfoResolver) && ((DefaultJsonTypeInfoResolver)resolver).Modifiers.Count == 0));

    // For some of these the generator of today makes no method anyway: numbers as strings, members with converters, nullable structs.
    private static bool IsPlain(JsonTypeInfo contract) =>
        contract is { Kind: JsonTypeInfoKind.Object, PolymorphismOptions: null, NumberHandling: null, OnSerializing: null, OnSerialized: null }
        && Nullable.GetUnderlyingType(contract.Type) is null
        && contract.Properties.All(property => property.Get is null
            || (property is { CustomConverter: null, NumberHandling: null } && IsWrittenInline(property.PropertyType) && IsSameByAnyEncoder(property.Name, contract.Options)));

    private static bool IsWrittenInline(Type type) =>
        (Type.GetTypeCode(type) is not (TypeCode.Object or TypeCode.DBNull) && !type.IsEnum) || type == typeof(Guid) || type == typeof(DateTimeOffset);

    private static bool IsSameByAnyEncoder(string name, JsonSerializerOptions options) =>
        JavaScriptEncoder.Default.Encode(name) == name && options.Encoder!.Encode(name) == name;
}
