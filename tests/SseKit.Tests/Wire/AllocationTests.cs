using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

public partial class AllocationTests
{
    [Fact]
    public void Encoding_text_or_bytes_into_a_warm_buffer_allocates_nothing()
    {
        var text = new SseEvent("tick é👍\r\ntock", "t") { EventId = "1", ReconnectionInterval = TimeSpan.FromSeconds(3) };
        var utf8 = SseEvent.Utf8("tick\ntock"u8.ToArray());
        var longText = new SseEvent(new string('é', 5000));

        Assert.Equal(0, Allocated(frames =>
        {
            EventFrame.Write(frames, text, Encoded.WebJson);
            EventFrame.Write(frames, utf8, Encoded.WebJson);
            EventFrame.Write(frames, longText, Encoded.WebJson);
            EventFrame.Write(frames, SseEvent.Comment("hi"), Encoded.WebJson);
            EventFrame.Write(frames, "tick", Encoded.WebJson);
        }));
    }

    [Fact]
    public void Encoding_json_allocates_nothing_but_what_the_serializer_does()
    {
        var order = new Order { Id = 7, Note = "note" };
        var writer = new Utf8JsonWriter(Stream.Null);
        var serializer = Allocated(_ =>
        {
            writer.Reset(Stream.Null);
            JsonSerializer.Serialize(writer, order, AllocationJson.Default.Order);
        });

        Assert.Equal(serializer, Allocated(frames => EventFrame.Write(frames, SseEvent.Json(order, AllocationJson.Default.Order), Encoded.WebJson)));
        Assert.Equal(serializer, Allocated(frames => EventFrame.WriteJson(frames, "order", order, AllocationJson.Default.Order, options: null)));
    }

    [Fact]
    public void Streams_of_one_thread_share_what_they_need_between_two_flushes()
    {
        var order = new Order { Id = 7, Note = "note" };
        var pipe = new CountingPipe();
        var streams = Enumerable.Range(0, 2_000).Select(_ => new PipeFrames(pipe)).ToArray();
        long before = 0;
        for (var i = 0; i < streams.Length; i++)
        {
            // All that is counted is each stream's first flush; the ones before it warm the thread up.
            if (i == streams.Length / 2)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            EventFrame.Write(streams[i], "tick", Encoded.WebJson);
            EventFrame.WriteJson(streams[i], "order", order, AllocationJson.Default.Order, options: null);
            Assert.True(IsDone(streams[i].FlushAsync()));
        }

        // Less than a byte for each of them.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, streams.Length / 2);
    }

    private static bool IsDone(ValueTask<FlushResult> flush) => flush.IsCompletedSuccessfully;

    /// <summary>Bytes that this thread allocates over many repetitions, after some that warm up.</summary>
    private static long Allocated(Action<ScratchFrames> encode)
    {
        long before = 0;
        for (var i = 0; i < 2_000; i++)
        {
            if (i == 1_000)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            var frames = ScratchFrames.Rent();
            encode(frames);
            frames.Return();
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    [JsonSerializable(typeof(Order))]
    internal sealed partial class AllocationJson : JsonSerializerContext;

    internal sealed class Order
    {
        public int Id { get; init; }

        public string? Note { get; init; }
    }
}
