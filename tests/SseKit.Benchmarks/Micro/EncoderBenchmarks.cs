using System.Text.Json;
using BenchmarkDotNet.Attributes;
using SseKit.Wire;

namespace SseKit.Benchmarks.Micro;

/// <summary>An event as bytes.</summary>
[MemoryDiagnoser]
public class EncoderBenchmarks
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);
    private readonly string _text64 = Content.Texts(64)[0];
    private readonly string _text512 = Content.Texts(512)[0];
    private readonly string _lines = string.Join('\n', Enumerable.Repeat("a line of some length", 20));
    private readonly ReadOnlyMemory<byte> _utf8 = System.Text.Encoding.UTF8.GetBytes(Content.Texts(512)[0]);
    private readonly ScratchFrames _buffer = new();

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
        EventFrame.WriteJson(_buffer, eventType: null, Content.Tick(0), TickContext.Default.Tick, given: true);
        _buffer.Return();
    }

    private void Write(in SseEvent item)
    {
        EventFrame.Write(_buffer, item, Options);
        _buffer.Return();
    }
}
