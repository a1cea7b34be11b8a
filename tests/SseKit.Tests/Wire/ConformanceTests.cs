using System.Text.Json;
using CsCheck;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>
/// Random events, read back by npm's eventsource-parser: what most clients outside a browser use, written by people who know none of this code.
/// It differs from the specification in nothing that frames of ours can hold. It tells an event's own id and leaves remembering the last one to
/// its user, and it has no name for an event without a type.
/// </summary>
public class ConformanceTests
{
    private static readonly Gen<Case> Cases =
        from events in AnyEvent.Any.Array[1, 4]
        from comment in AnyEvent.Comments.Null()
        from chunks in Gen.Int[1, 40].Array[1, 8]
        from cut in Gen.Double.Unit
        select new Case(events, comment, chunks, cut);

    [Fact]
    public async Task An_independent_parser_reads_back_what_was_sent()
    {
        await using var parser = NpmParser.Start();

        // One thread: the parser answers one case after the other.
        Cases.Sample(
            one =>
            {
                var read = parser.Parse(one.Bytes, one.Chunks);

                Assert.Equal(one.Events.Select(e => new NpmParser.Event(e.ReadData, e.Type is "" or null ? null : e.ReadType, e.ReadId)), read.Events);
                Assert.Equal(one.Events.Where(e => e.RetryTicks is not null).Select(e => (double)(e.RetryTicks!.Value / TimeSpan.TicksPerMillisecond)), read.Retries);
                Assert.Equal(one.Comment is null ? [] : AnyEvent.Normal(one.Comment).Split('\n'), read.Comments);
                Assert.Empty(read.Errors);

                var (bytes, whole) = one.Cut();
                Assert.Equal(read.Events.Take(whole), parser.Parse(bytes, one.Chunks).Events);
            },
            iter: AnyEvent.Cases(20_000),
            threads: 1);
    }

    private sealed record Case(AnyEvent[] Events, string? Comment, int[] Chunks, double CutAt)
    {
        public byte[] Bytes => [.. Comment is null ? [] : Encoded.Bytes([SseEvent.Comment(Comment)]), .. Encoded.Bytes([.. Events.Select(e => e.Event)], json: AnyEvent.Json)];

        /// <summary>A part of the bytes, and how many events are whole in it.</summary>
        public (byte[] Bytes, int Whole) Cut()
        {
            var cut = (int)(CutAt * Bytes.Length);
            var whole = 0;
            for (var end = Comment is null ? 0 : Encoded.Bytes([SseEvent.Comment(Comment)]).Length; whole < Events.Length; whole++)
            {
                end += EventFrame.Encode(Events[whole].Event, AnyEvent.Json).Length;
                if (end > cut)
                {
                    break;
                }
            }

            return (Bytes[..cut], whole);
        }

        public override string ToString() => $"{string.Join("; ", Events.Select(e => e.ToString()))} comment {JsonSerializer.Serialize(Comment)} chunks {string.Join(',', Chunks)} cut {CutAt}";
    }
}
