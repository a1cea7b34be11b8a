using System.Globalization;
using System.Security.Cryptography;

namespace SseKit.StackExchangeRedis;

/// <summary>
/// Event ids: the one that Redis gave to the entry, and what its publisher made unique. The latter is why no id is ever given twice: a
/// replica that took over without the last writes gives the same numbers again.
/// </summary>
internal static class EntryId
{
    private const string Letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// <summary>65 bits for a process, so that two never share one.</summary>
    public static string NewWriter() => RandomNumberGenerator.GetString(Letters, 11);

    /// <summary>Of at most 22 characters for the first 2^40 of a writer, which leaves 42 for the longest number of Redis.</summary>
    public static string Mark(string writer, long sequence) => string.Create(CultureInfo.InvariantCulture, $"{writer}.{sequence:x}");

    /// <summary>Takes an id apart; false for one that can't be of a stream. It may come from a client.</summary>
    public static bool TryParse(string id, out string number, out string mark)
    {
        (number, mark) = ("", "");
        var first = id.IndexOf('-', StringComparison.Ordinal);
        var second = first < 0 ? -1 : id.IndexOf('-', first + 1);
        if (second < 0 || !IsNumber(id.AsSpan(0, first)) || !IsNumber(id.AsSpan(first + 1, second - first - 1)))
        {
            return false;
        }

        (number, mark) = (id[..second], id[(second + 1)..]);
        return true;
    }

    /// <summary>How old what Redis gave this id to is, by the clock of Redis. Others may have put it into the future.</summary>
    public static TimeSpan Age(string id, long now)
    {
        var then = ulong.Parse(id.AsSpan(0, id.IndexOf('-', StringComparison.Ordinal)), NumberStyles.None, CultureInfo.InvariantCulture);
        return then < (ulong)now ? TimeSpan.FromMilliseconds(now - (long)then) : TimeSpan.Zero;
    }

    private static bool IsNumber(ReadOnlySpan<char> text) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
