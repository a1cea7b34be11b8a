using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace SseKit.Testing;

/// <summary>The few assertions that the contract needs. The name of the check that fails is the first half of what it says.</summary>
internal static class Assert
{
    public static void True(bool condition, string otherwise, [CallerMemberName] string check = "")
    {
        if (!condition)
        {
            throw new SseContractException(check, otherwise);
        }
    }

    public static void Equal<T>(
        T expected, T actual, [CallerArgumentExpression(nameof(actual))] string what = "", [CallerMemberName] string check = "") =>
        True(Same(expected, actual), $"{what} should be {Text(expected)}, but is {Text(actual)}.", check);

    public static void Equal<T>(
        IEnumerable<T> expected, IEnumerable<T> actual, [CallerArgumentExpression(nameof(actual))] string what = "", [CallerMemberName] string check = "") =>
        Equal<object?>(expected, actual, what, check);

    public static void NotEqual<T>(
        T unexpected, T actual, [CallerArgumentExpression(nameof(actual))] string what = "", [CallerMemberName] string check = "") =>
        True(!Same(unexpected, actual), $"{what} should not be {Text(unexpected)}.", check);

    public static void Null(object? actual, [CallerArgumentExpression(nameof(actual))] string what = "", [CallerMemberName] string check = "") =>
        True(actual is null, $"{what} should be null, but is {Text(actual)}.", check);

    public static void Empty(IEnumerable actual, [CallerArgumentExpression(nameof(actual))] string what = "", [CallerMemberName] string check = "") =>
        True(!actual.Cast<object?>().Any(), $"{what} should be empty, but holds {Text(actual)}.", check);

    public static void InRange(
        int actual, int least, int most, [CallerArgumentExpression(nameof(actual))] string what = "", [CallerMemberName] string check = "") =>
        True(actual >= least && actual <= most, $"{what} should be between {least} and {most}, but is {actual}.", check);

    public static void Matches(
        string pattern, string actual, [CallerArgumentExpression(nameof(actual))] string what = "", [CallerMemberName] string check = "") =>
        True(Regex.IsMatch(actual, pattern), $"{what} should match {pattern}, but is {Text(actual)}.", check);

    public static void All<T>(IEnumerable<T> items, Action<T> assert)
    {
        foreach (var item in items)
        {
            assert(item);
        }
    }

    /// <summary>Expects an exception of a type or one derived from it; any other passes through.</summary>
    public static async Task ThrowsAnyAsync<TException>(
        Func<Task> act, [CallerArgumentExpression(nameof(act))] string what = "", [CallerMemberName] string check = "")
        where TException : Exception
    {
        try
        {
            await act();
        }
        catch (TException)
        {
            return;
        }

        throw new SseContractException(check, $"{what} should throw {typeof(TException).Name}, but throws nothing.");
    }

    private static bool Same(object? expected, object? actual) => (expected, actual) switch
    {
        (string, _) => Equals(expected, actual),
        (IEnumerable some, IEnumerable others) => some.Cast<object?>().SequenceEqual(others.Cast<object?>()),
        _ => Equals(expected, actual),
    };

    private static string Text(object? value) => value switch
    {
        null => "null",
        string text => $"'{text}'",
        IEnumerable items => $"[{string.Join(", ", items.Cast<object?>().Select(Text))}]",
        _ => $"{value}",
    };
}
