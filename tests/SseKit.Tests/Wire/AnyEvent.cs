using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using CsCheck;

namespace SseKit.Tests.Wire;

/// <summary>A random event, by which of the three ways it is given to the encoder, and what a conforming parser must read back.</summary>
internal sealed record AnyEvent(string Data, string? Type, string? Id, long? RetryTicks, AnyEvent.Form As)
{
    /// <summary>As many cases as <c>SSEKIT_CASES</c> says (a million and more on demand), else the number for a normal run.</summary>
    public static long Cases(long normal) =>
        long.TryParse(Environment.GetEnvironmentVariable("SSEKIT_CASES"), NumberStyles.None, CultureInfo.InvariantCulture, out var told) ? told : normal;

    // What has a meaning somewhere in the format, anything else there is in Unicode, and half of a character.
    private static readonly Gen<string> Piece = Gen.Frequency(
        (6, Gen.OneOf("\r", "\n", "\r\n", "\n\r")),
        (5, Gen.OneOf(" ", ":", "\0", "\ufeff", "\u2028", "\u2029", "\u0085", "\t", "data: ", "\nid: 1", "\n\n", "event:", "retry: 1", "\ud83d", "\ude00", "👩‍🚀")),
        (6, Gen.Char[' ', '~'].Select(c => c.ToString())),
        (2, Gen.Char['\0', '\u001f'].Select(c => c.ToString())),
        (3, Gen.Char['\u0080', '\uffff'].Select(c => c.ToString())),
        (2, Gen.Int[0x10000, 0x10ffff].Select(char.ConvertFromUtf32)));

    private static readonly Gen<string> Short = Piece.Array[0, 16].Select(string.Concat);

    // Beyond a pool block, beyond what is encoded in one go, and with the borders anywhere.
    private static readonly Gen<string> Long =
        from before in Short
        from piece in Piece
        from count in Gen.Int[100, 3000]
        from after in Short
        select before + string.Concat(Enumerable.Repeat(piece, count)) + after;

    private static readonly Gen<string> Line = Piece.Array[0, 6].Select(pieces => string.Concat(string.Concat(pieces).Split('\r', '\n', '\0')));

    private static readonly Gen<long> Retry = Gen.Frequency((5, Gen.Long[0, 100_000 * TimeSpan.TicksPerMillisecond]), (1, Gen.Long[0, long.MaxValue]));

    public static readonly Gen<AnyEvent> Small = With(Short);

    public static readonly Gen<AnyEvent> Any = With(Gen.Frequency((60, Short), (1, Long)));

    public static readonly Gen<string> Comments = Short;

    public enum Form
    {
        Text,
        Utf8,
        Json,
    }

    public SseEvent Event => As switch
    {
        Form.Text => new SseEvent(Data, Type) with { EventId = Id, ReconnectionInterval = Interval },
        // There is no such thing as empty JSON.
        Form.Json when Data.Length > 0 => SseEvent.Json(new Raw(Encoding.UTF8.GetBytes(Data))) with { EventType = Type, EventId = Id, ReconnectionInterval = Interval },
        _ => SseEvent.Utf8(Encoding.UTF8.GetBytes(Data)) with { EventType = Type, EventId = Id, ReconnectionInterval = Interval },
    };

    public static JsonSerializerOptions Json { get; } = new(Encoded.WebJson) { Converters = { new RawConverter() } };

    public string ReadData => Normal(Data);

    public string ReadType => string.IsNullOrEmpty(Type) ? "message" : Repaired(Type);

    public string? ReadId => Id is null ? null : Repaired(Id);

    public TimeSpan? ReadRetry => RetryTicks is { } ticks ? TimeSpan.FromMilliseconds(ticks / TimeSpan.TicksPerMillisecond) : null;

    private TimeSpan? Interval => RetryTicks is { } ticks ? TimeSpan.FromTicks(ticks) : null;

    /// <summary>Text as a parser gives it back: line ends as LF, and no half characters.</summary>
    public static string Normal(string text) => Repaired(text).Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');

    /// <summary>Readable in a report, whatever control characters it holds.</summary>
    public override string ToString() => $"{As} {JsonSerializer.Serialize(Data)} type {JsonSerializer.Serialize(Type)} id {JsonSerializer.Serialize(Id)} retry {RetryTicks}";

    private static Gen<AnyEvent> With(Gen<string> texts) =>
        from data in texts
        from type in Line.Null()
        from id in Line.Null()
        from retry in Retry.Nullable()
        from form in Gen.Enum<Form>()
        select new AnyEvent(data, type, id, retry, form);

    private static string Repaired(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private sealed record Raw(byte[] Json);

    /// <summary>A converter that writes anything, as one with raw JSON can.</summary>
    private sealed class RawConverter : JsonConverter<Raw>
    {
        public override Raw Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, Raw value, JsonSerializerOptions options) => writer.WriteRawValue(value.Json, skipInputValidation: true);
    }
}
