using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;

namespace SseKit.Benchmarks;

/// <summary>What the streams carry: made by the server, expected by the client, so that every byte can be checked.</summary>
internal static class Content
{
    /// <summary>A single stream's texts repeat after this many, so that neither side makes strings while it is measured.</summary>
    public const int Period = 1024;

    /// <summary>The length of an event's data in fan-out.</summary>
    public const int FanOutLength = 100;

    /// <summary>Where an event of a fan-out tells when it was published.</summary>
    public const int StampAt = 11;

    public static string[] Texts(int length) =>
        [.. Enumerable.Range(0, Period).Select(i => i.ToString("D10", CultureInfo.InvariantCulture).PadRight(length, 'x'))];

    /// <summary>About 64 bytes of JSON.</summary>
    public static Tick Tick(long i) => new(1000 + (int)(i % Period), "SSEK.XETRA", 101.25, 4200);

    public static string Json(int i) => $$"""{"sequence":{{1000 + i}},"symbol":"SSEK.XETRA","price":101.25,"volume":4200}""";

    /// <summary>One period of a single stream, as it is on the wire.</summary>
    public static byte[] Stream(IEnumerable<string> data) => Encoding.UTF8.GetBytes(string.Concat(data.Select(text => $"data: {text}\n\n")));

    /// <summary>An event of a fan-out: its number, when it was published, and filling.</summary>
    public static string FanOut(long sequence, long timestamp) =>
        string.Create(CultureInfo.InvariantCulture, $"{sequence:D10} {timestamp:D20} {Filling}");

    private static readonly string Filling = new('y', FanOutLength - 32);
}

internal sealed record Tick(int Sequence, string Symbol, double Price, int Volume);

[JsonSerializable(typeof(Tick))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class TickContext : JsonSerializerContext;
