using System.Text;
using CsCheck;
using SseKit.Wire;

namespace SseKit.Tests.Watching;

public class EventBoundaryTests
{
    private static readonly Gen<string> Line = Gen.OneOf(
        "", "", "", "data: x", "data", "id: 7", "event: e", "retry: 5", "retry:", "retry", "retr", ":c", ": hi", ":retry:", "\uFEFF", "\uFEFFdata: y", "x: \u00e9 \ud83d\ude00", "data: a:b");

    private static readonly Gen<string> LineEnd = Gen.OneOf("\n", "\r", "\r\n");

    /// <summary>Event streams of every mix of lines and line ends, sometimes with a mark at the start, sometimes ending within a line.</summary>
    internal static readonly Gen<byte[]> EventStream = Gen.Select(
        Gen.Bool, Gen.Select(Line, LineEnd, (line, end) => line + end).Array[0, 12], Line, Gen.Bool,
        (mark, lines, last, cut) => Encoding.UTF8.GetBytes((mark ? "\uFEFF" : "") + string.Concat(lines) + (cut ? last : "")));

    /// <summary>Cuts that make chunks of it, empty ones and single bytes included.</summary>
    internal static Gen<int[]> Cuts(int length) => Gen.Int[0, length].Array[0, 2 * length].Select(cuts => cuts.Order().ToArray());

    [Theory]
    [InlineData("", true)]
    [InlineData("data: x", false)]
    [InlineData("data: x\n", false)]
    [InlineData("data: x\n\n", true)]
    [InlineData("data: x\r\r", true)]
    [InlineData("data: x\r\n", false)]
    [InlineData("data: x\r\n\r", true)]
    [InlineData("data: x\r\n\r\n", true)]
    [InlineData("data: x\n\r", true)]
    [InlineData(": hi", false)]
    [InlineData(": hi\n", true)]
    [InlineData("retry: 5\n", true)]
    [InlineData("retry", false)]
    [InlineData("retry\n", false)]
    [InlineData("id: 5\n", false)]
    [InlineData("data: x\n: hi\n", false)]
    [InlineData("data: x\nretry: 5\n", false)]
    [InlineData("\uFEFF", true)]
    [InlineData("\uFEFF: hi\n", true)]
    [InlineData("\uFEFFretry: 5\n", true)]
    [InlineData("\uFEFFdata: x\n", false)]
    [InlineData("\uFEFF\uFEFF: hi\n", false)]
    public void A_comment_may_stand_only_between_two_events(string passed, bool isHere)
    {
        var bytes = Encoding.UTF8.GetBytes(passed);
        var whole = new EventBoundary();
        whole.Pass(bytes);
        Assert.Equal(isHere, whole.IsHere);

        var byByte = new EventBoundary();
        foreach (var one in bytes)
        {
            byByte.Pass([one]);
        }

        Assert.Equal(isHere, byByte.IsHere);
    }

    [Fact]
    public void A_part_of_a_byte_order_mark_is_a_line_that_was_begun()
    {
        var boundary = new EventBoundary();
        boundary.Pass([0xEF]);
        Assert.False(boundary.IsHere);
        boundary.Pass([0xBB]);
        Assert.False(boundary.IsHere);
        boundary.Pass("x\n"u8);
        Assert.False(boundary.IsHere);
        boundary.Pass("\n"u8);
        Assert.True(boundary.IsHere);
    }

    [Fact]
    public void Whatever_the_chunks_every_place_is_judged_as_by_the_whole_stream() =>
        EventStream.SelectMany(stream => Cuts(stream.Length).Select(cuts => (stream, cuts))).Sample(run =>
        {
            var boundary = new EventBoundary();
            var passed = 0;
            foreach (var cut in run.cuts)
            {
                boundary.Pass(run.stream.AsSpan(passed, cut - passed));
                passed = cut;
                var soFar = run.stream.AsSpan(0, passed);
                if (boundary.IsHere != StreamText.IsBetweenEvents(soFar) || boundary.IsAfterCarriageReturn != (passed > 0 && soFar[^1] == '\r'))
                {
                    return false;
                }
            }

            return true;
        });
}
