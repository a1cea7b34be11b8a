using System.Net.ServerSentEvents;
using System.Text;
using CsCheck;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>
/// Random events, read back by the framework's own parser. <c>SSEKIT_CASES=1000000</c> runs that many. A failure is shrunk and prints its seed;
/// <c>CsCheck_Seed=…</c> in the environment runs that case again, first.
/// </summary>
public class ReadBackTests
{
    private static readonly Gen<AnyStream> Streams = Of(AnyEvent.Any);

    [Fact]
    public void What_the_framework_reads_back_is_what_was_sent() => Streams.Sample(
        stream =>
        {
            var read = Parse(new Chunked(stream.Bytes, stream.Chunks), out var last, out var interval);

            Assert.Equal(stream.Events.Select(Expected), read);
            Assert.Equal(stream.Events.LastOrDefault(e => e.Id is not null)?.ReadId ?? "", last);
            Assert.Equal(stream.Events.LastOrDefault(e => e.RetryTicks is not null)?.ReadRetry ?? Timeout.InfiniteTimeSpan, interval);
        },
        iter: AnyEvent.Cases(40_000));

    [Fact]
    public void A_stream_that_is_cut_anywhere_gives_whole_events_only_and_the_id_of_the_last_of_them() => Of(AnyEvent.Small).Sample(
        stream =>
        {
            var bytes = stream.Bytes;
            var ends = Ends(stream);
            var expected = stream.Events.Select(Expected).ToArray();
            for (int cut = 0, whole = 0; cut <= bytes.Length; cut++)
            {
                if (whole < ends.Length && cut == ends[whole])
                {
                    whole++;
                }

                var read = Parse(new MemoryStream(bytes, 0, cut), out var last, out _);

                Assert.Equal(expected[..whole], read);
                // The framework takes an id at its line. One byte later the event is whole, so a cut can fall between the two, and nowhere else.
                var between = whole < ends.Length && cut == ends[whole] - 1;
                Assert.Equal(stream.Events.Take(between ? whole + 1 : whole).LastOrDefault(e => e.Id is not null)?.ReadId ?? "", last);
            }
        },
        iter: Math.Max(1, AnyEvent.Cases(40_000) / 40));

    [Fact]
    public void A_subscriber_inside_the_app_gets_what_was_published() => Streams.Sample(
        stream =>
        {
            var read = FrameReader.Read(stream.Bytes).Select(item => new Read(item.Data!, item.EventType ?? "message", item.EventId, item.ReconnectionInterval));

            Assert.Equal(stream.Events.Select(Expected), read);
        },
        iter: AnyEvent.Cases(20_000));

    [Fact]
    public void Any_bytes_at_all_are_sent_as_the_text_that_a_decoder_makes_of_them() => Gen.Frequency(
        (2, Gen.Byte),
        (1, Gen.OneOf<byte>(0x0d, 0x0a)),
        (1, Gen.OneOf<byte>(0xc0, 0xc3, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0x80, 0xef, 0xbb, 0xbf, 0xf5))).Array[0, 40].Sample(
        bytes => Assert.Equal(Encoded.Bytes([Encoding.UTF8.GetString(bytes)]), Encoded.Bytes([SseEvent.Utf8(bytes)])),
        iter: AnyEvent.Cases(20_000));

    private static Gen<AnyStream> Of(Gen<AnyEvent> any) =>
        from events in any.Array[1, 4]
        from chunks in Gen.Int[1, 40].Array[1, 8]
        from before in Gen.Frequency((1, Gen.Int[0, 0]), (1, Gen.Int[0, 5000]))
        from small in Gen.Bool
        select new AnyStream(events, chunks, before, small ? 1 : 4096);

    private static Read Expected(AnyEvent e) => new(e.ReadData, e.ReadType, e.ReadId, e.ReadRetry);

    private static List<Read> Parse(Stream bytes, out string lastEventId, out TimeSpan interval)
    {
        var parser = SseParser.Create(bytes);
        var read = parser.Enumerate().Select(item => new Read(item.Data, item.EventType, item.EventId, item.ReconnectionInterval)).ToList();
        lastEventId = parser.LastEventId;
        interval = parser.ReconnectionInterval;
        return read;
    }

    private static int[] Ends(AnyStream stream)
    {
        var end = 0;
        return [.. stream.Events.Select(e => end += EventFrame.Encode(e.Event, AnyEvent.Json).Length)];
    }

    private sealed record Read(string Data, string Type, string? Id, TimeSpan? Retry);

    private sealed record AnyStream(AnyEvent[] Events, int[] Chunks, int Before, int BlockSize)
    {
        public byte[] Bytes => Encoded.Bytes([.. Events.Select(e => e.Event)], Before, BlockSize, AnyEvent.Json);

        public override string ToString() => $"{string.Join("; ", Events.Select(e => e.ToString()))} before {Before} blocks {BlockSize} chunks {string.Join(',', Chunks)}";
    }
}
