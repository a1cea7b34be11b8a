using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace SseKit.Topics;

/// <summary>Which names a topic may have: 1–256 bytes of UTF-8, no control characters. They are compared ordinally.</summary>
internal static class TopicName
{
    private const int MaxBytes = 256;

    public static bool IsValid([NotNullWhen(true)] string? name) => Fault(name) is null;

    public static string Check(string? name, string parameter = "topic")
    {
        ArgumentNullException.ThrowIfNull(name, parameter);
        return Fault(name) is { } fault
            ? throw new ArgumentException($"The topic name {fault}. Use 1 to {MaxBytes} bytes of UTF-8 without control characters.", parameter)
            : name;
    }

    /// <summary>What is wrong with a name, to be said after it; null when it is fine.</summary>
    public static string? Fault(string? name)
    {
        if (string.IsNullOrEmpty(name))
        {
            return "is empty";
        }

        // Looked at before the characters are: the name may come from a request.
        if (name.Length > MaxBytes || Encoding.UTF8.GetByteCount(name) > MaxBytes)
        {
            return "is too long";
        }

        for (var i = 0; i < name.Length; i++)
        {
            if (char.IsControl(name[i]))
            {
                return $"holds the control character U+{(int)name[i]:X4} at position {i}";
            }

            // Two names that differ only in lone surrogates would be one name in a store that keeps UTF-8.
            if (char.IsSurrogate(name[i]) && !char.IsSurrogatePair(name, i++))
            {
                return $"holds a lone surrogate at position {i - 1}";
            }
        }

        return null;
    }
}
