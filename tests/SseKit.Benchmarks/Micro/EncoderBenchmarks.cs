using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using BenchmarkDotNet.Attributes;
using SseKit.Wire;

namespace SseKit.Benchmarks.Micro;

/// <summary>An event as bytes.</summary>
[MemoryDiagnoser]
public class EncoderBenchmarks
{
    // As in an app: its options name an encoder, which those that the context was generated for do not.
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = TickContext.Default,
    };

    private readonly JsonTypeInfo<Tick> _contract = (JsonTypeInfo<Tick>)Options.GetTypeInfo(typeof(Tick));
    private readonly Tick _tick = Content.Tick(0);
    private readonly string _text64 = Content.Texts(64)[0];
    private readonly string _text512 = Content.Texts(512)[0];
    private readonly string _lines = string.Join('\n', Enumerable.Repeat("a line of some length", 20));
    private readonly ReadOnlyMemory<byte> _utf8 = System.Text.Encoding.UTF8.GetBytes(Content.Texts(512)[0]);

    [Benchmark(Baseline = true)]
    public void Text64() => Write(new SseEvent(_text64));

    [Benchmark]
    public void Text512() => Write(new SseEvent(_text512));

    [Benchmark]
    public void Text_of_20_lines() => Write(new SseEvent(_lines));

    [Benchmark]
    public void Utf8_512() => Write(SseEvent.Utf8(_utf8));

    [Benchmark]
    public void All_fields() => Write(new SseEvent(_text64, "price") { EventId = "4711", ReconnectionInterval = TimeSpan.FromSeconds(3) });

    [Benchmark]
    public void Json_with_source_generation()
    {
        var buffer = ScratchFrames.Rent();
        EventFrame.WriteJson(buffer, eventType: null, _tick, GeneratedJson.Of(_contract), Options);
        buffer.Return();
    }

    /// <summary>By the app's options, which have the serializer step through the properties.</summary>
    [Benchmark]
    public void Json_by_the_serializer_alone()
    {
        var buffer = JsonScratch.Rent();
        JsonSerializer.Serialize(buffer.Writer(Options), _tick, _contract);
        buffer.Return();
    }

    private static void Write(in SseEvent item)
    {
        var buffer = ScratchFrames.Rent();
        EventFrame.Write(buffer, item, Options);
        buffer.Return();
    }
}
