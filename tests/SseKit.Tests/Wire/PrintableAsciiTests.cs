using System.Runtime.Intrinsics;
using System.Text;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>The one pass over the text that most events are.</summary>
public sealed class PrintableAsciiTests
{
    private const int Longest = 150;

    // Some become printable when their upper byte is cut off.
    private const string Others = "\0\t\n\r\u001f\u007f\u0080\u00ff\u0120\u0141\u0a41\u2028\u7f20\ud83d\ude00\uff21\uffff";

    [Fact]
    public void Printable_text_is_copied_at_every_length()
    {
        for (var length = 32; length < Longest; length++)
        {
            var text = Text(length);
            var bytes = new byte[length];
            Assert.Equal(Vector256.IsHardwareAccelerated, PrintableAscii.TryCopy(text, bytes));
            if (Vector256.IsHardwareAccelerated)
            {
                Assert.Equal(Encoding.ASCII.GetBytes(text), bytes);
            }
        }
    }

    [Fact]
    public void Any_other_character_is_found_at_every_place()
    {
        for (var length = 0; length < Longest; length++)
        {
            for (var place = 0; place < length; place++)
            {
                foreach (var other in Others)
                {
                    var text = Text(length).ToCharArray();
                    text[place] = other;
                    Assert.False(PrintableAscii.TryCopy(text, new byte[length]), $"U+{(int)other:X4} at {place} of {length}");
                }
            }
        }
    }

    private static string Text(int length) => string.Concat(Enumerable.Range(0, length).Select(i => (char)(' ' + (i % ('~' - ' ' + 1)))));
}
