using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SseKit.Wire;

/// <summary>
/// The text that most events are, looked at and copied in one pass: to encode it and then to look for line ends takes twice as long.
/// </summary>
internal static class PrintableAscii
{
    private const ushort First = ' ';
    private const ushort Last = '~';

    /// <summary>
    /// Copies text that is nothing but printable ASCII, one byte a character. False when anything else is in it, or it is too short to be
    /// worth it, or the processor lacks the means; what has been written then means nothing.
    /// </summary>
    public static bool TryCopy(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        var count = Vector256<byte>.Count;
        if (!Vector256.IsHardwareAccelerated || text.Length < count)
        {
            return false;
        }

        var characters = MemoryMarshal.Cast<char, ushort>(text);
        var highest = Vector256<ushort>.Zero;
        for (var at = 0; ; at = Math.Min(at + count, characters.Length - count))
        {
            // The last piece begins inside the one before it.
            var left = Vector256.Create(characters[at..]);
            var right = Vector256.Create(characters[(at + (count / 2))..]);

            // What is below the first becomes a large number.
            var first = Vector256.Create(First);
            highest = Vector256.Max(highest, Vector256.Max(left - first, right - first));
            Vector256.Narrow(left, right).CopyTo(bytes[at..]);
            if (at == characters.Length - count)
            {
                return Vector256.LessThanOrEqualAll(highest, Vector256.Create((ushort)(Last - First)));
            }
        }
    }
}
