using System.Net.ServerSentEvents;
using System.Text;
using CsCheck;
using SseKit.Testing;
using SseKit.Tests.Wire;

namespace SseKit.Tests.Kit;

/// <summary>The kit's own parser, beside the framework's and npm's, on streams that nobody would send on purpose.</summary>
public class ParsingTests
{
    private static readonly Gen<string> Piece = Gen.Frequency(
        (8, Gen.OneOf("\r", "\n", "\r\n")),
        (6, Gen.OneOf("data: ", "data:", "data", "event: ", "event:", "id: ", "id:", "id", "retry: ", "retry: 5", ": ", ":")),
        (4, Gen.OneOf(" ", "\0", "\u2028", "\ufeff", "ü", "👩‍🚀", "7", "date: ", "Data: x", "retry: 1x", "retry: -1", "retry: 99999999999999999999")),
        (2, Gen.Char[' ', '~'].Select(c => c.ToString())));

    private static readonly Gen<AnyBytes> Streams =
        from bom in Gen.Frequency((4, Gen.Const("")), (1, Gen.Const("\ufeff")))
        from text in Piece.Array[0, 40].Select(string.Concat)
        from chunks in Gen.Int[1, 9].Array[1, 8]
        select new AnyBytes(bom + text, chunks);

    [Fact]
    public async Task Each_part_of_a_stream_is_seen_in_its_place()
    {
        var (items, retry) = await ReadAsync("""
            : hello
            :
            id: 1
            retry: 250

            event: created
            data: {"id":
            data:  7}
            id: 2

            data

            retry: 9

            event: nothing


            :no space
            data: cut off in the mid
            """.ReplaceLineEndings("\n"));

        Assert.Equal(
            [": hello", ": ", "(no data) #1", "created #2: {\"id\":\n 7}", "message: ", "(no data)", "(no data)", ": no space"],
            items.Select(item => item.ToString()));
        Assert.Equal(
            [TimeSpan.FromMilliseconds(250), null, null, TimeSpan.FromMilliseconds(9), null],
            items.Where(item => item.Kind != SseTestItemKind.Comment).Select(item => item.ReconnectionInterval));
        Assert.Equal(TimeSpan.FromMilliseconds(9), retry);
        Assert.Equal(["1", "2", null, null, null], items.Where(item => item.Kind != SseTestItemKind.Comment).Select(item => item.EventId));
        Assert.Equal(["created", "message"], items.Where(item => item.Kind == SseTestItemKind.Event).Select(item => item.EventType));
    }

    [Fact]
    public async Task A_line_that_ends_with_CR_is_there_before_the_next_byte()
    {
        var pipe = new System.IO.Pipelines.Pipe();
        using var client = new GivenAnswers(() => GivenAnswers.Stream(pipe.Reader.AsStream())).Client();
        await using var stream = await client.OpenSseAsync("/", cancellationToken: TestContext.Current.CancellationToken);

        await pipe.Writer.WriteAsync("data: a\r\r"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Equal("a", (await stream.NextEventAsync(TestContext.Current.CancellationToken)).Data);
        await pipe.Writer.WriteAsync("\ndata: b\r\n\r"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Equal("b", (await stream.NextEventAsync(TestContext.Current.CancellationToken)).Data);
    }

    [Fact]
    public void It_reads_what_the_parser_of_the_framework_reads() => Streams.Sample(
        stream =>
        {
            var parser = SseParser.Create(new MemoryStream(stream.Bytes));
            var expected = parser.Enumerate().ToList();

            var (items, retry) = ReadAsync(stream).GetAwaiter().GetResult();
            Assert.Equal(expected.Select(item => item.Data), Of(items, SseTestItemKind.Event).Select(item => item.Data));
            Assert.Equal(parser.ReconnectionInterval, retry ?? Timeout.InfiniteTimeSpan);

            // It differs from the specification in two: an empty type is none, and a type does not outlive a block without data.
            if (!Of(items, SseTestItemKind.Silent).Any())
            {
                Assert.Equal(
                    expected.Select(item => item.EventType.Length == 0 ? "message" : item.EventType),
                    Of(items, SseTestItemKind.Event).Select(item => item.EventType));
            }
        },
        iter: AnyEvent.Cases(20_000));

    [Fact]
    public async Task It_reads_what_the_parser_of_npm_reads()
    {
        await using var npm = NpmParser.Start();

        // One thread: the parser answers one case after the other. It takes a CR for the end of a line only when it has the next byte.
        Streams.Select(stream => stream with { Text = stream.Text + "\n" }).Sample(
            stream =>
            {
                var expected = npm.Parse(stream.Bytes, stream.Chunks);

                var (read, _) = ReadAsync(stream).GetAwaiter().GetResult();
                Assert.Equal(expected.Events, Of(read, SseTestItemKind.Event).Select(
                    item => new NpmParser.Event(item.Data, item.EventType == "message" ? null : item.EventType, item.EventId)));
                Assert.Equal(expected.Comments, Of(read, SseTestItemKind.Comment).Select(item => item.Data));
            },
            iter: AnyEvent.Cases(10_000),
            threads: 1);
    }

    private static IEnumerable<SseTestItem> Of(IEnumerable<SseTestItem> items, SseTestItemKind kind) => items.Where(item => item.Kind == kind);

    private static Task<(IReadOnlyList<SseTestItem> Items, TimeSpan? Retry)> ReadAsync(string text) => ReadAsync(new AnyBytes(text, [int.MaxValue]));

    private static async Task<(IReadOnlyList<SseTestItem> Items, TimeSpan? Retry)> ReadAsync(AnyBytes given)
    {
        using var client = new GivenAnswers(() => GivenAnswers.Stream(new Chunked(given.Bytes, given.Chunks))).Client();
        await using var stream = await client.OpenSseAsync("/");
        var items = await stream.ReadToEndAsync();
        Assert.Equal(given.Bytes, stream.Bytes.ToArray());
        Assert.Equal(items, stream.Received);
        return (items, stream.ReconnectionInterval);
    }

    private sealed record AnyBytes(string Text, int[] Chunks)
    {
        public byte[] Bytes => Encoding.UTF8.GetBytes(Text);

        public override string ToString() => $"{System.Text.Json.JsonSerializer.Serialize(Text)} chunks {string.Join(',', Chunks)}";
    }
}
