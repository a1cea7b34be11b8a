using System.Text.Unicode;

namespace SseKit.StackExchangeRedis;

/// <summary>What comes back from Redis as the frame of an event: anybody may have put it there.</summary>
internal static class StoredFrame
{
    /// <summary>Whether it is whole lines of UTF-8 that end no event and set no id: anything else would break what comes after it.</summary>
    public static bool IsWhole(ReadOnlySpan<byte> frame) =>
        frame.Length > 0
        && frame[^1] == (byte)'\n'
        && frame[0] != (byte)'\n'
        && !frame.StartsWith("id"u8)
        && frame.IndexOf("\n\n"u8) < 0
        && frame.IndexOf("\nid"u8) < 0
        && !frame.ContainsAny((byte)'\r', (byte)'\0')
        && Utf8.IsValid(frame);
}
