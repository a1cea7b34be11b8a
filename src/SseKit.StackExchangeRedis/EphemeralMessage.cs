using System.Text;

namespace SseKit.StackExchangeRedis;

/// <summary>
/// An event that is not kept, as a message of the topic's channel: a version, the type, the key, each ended by NUL, which none of them can hold,
/// and the frame. The bell, which is empty, is none.
/// </summary>
internal static class EphemeralMessage
{
    private const byte Nul = 0;
    private const byte Version = (byte)'1';

    public static byte[] Encode(in SseAppend item)
    {
        var type = item.EventType ?? "";
        var key = item.Key ?? "";
        var message = new byte[4 + Encoding.UTF8.GetByteCount(type) + Encoding.UTF8.GetByteCount(key) + item.Frame.Length];
        message[0] = Version;
        var at = 2;
        at += Encoding.UTF8.GetBytes(type, message.AsSpan(at)) + 1;
        at += Encoding.UTF8.GetBytes(key, message.AsSpan(at)) + 1;
        item.Frame.Span.CopyTo(message.AsSpan(at));
        return message;
    }

    /// <summary>Reads a message; false for whatever else somebody may have sent.</summary>
    public static bool TryDecode(ReadOnlyMemory<byte> message, out SseAppend item)
    {
        item = default;
        if (!message.Span.StartsWith([Version, Nul]))
        {
            return false;
        }

        message = message[2..];
        var typeEnd = message.Span.IndexOf(Nul);
        var keyEnd = typeEnd < 0 ? -1 : message.Span[(typeEnd + 1)..].IndexOf(Nul);
        if (keyEnd < 0)
        {
            return false;
        }

        var frame = message[(typeEnd + keyEnd + 2)..];
        item = new SseAppend
        {
            Frame = frame,
            EventType = TextOf(message.Span[..typeEnd]),
            Key = TextOf(message.Span.Slice(typeEnd + 1, keyEnd)),
        };
        return StoredFrame.IsWhole(frame.Span);
    }

    private static string? TextOf(ReadOnlySpan<byte> utf8) => utf8.IsEmpty ? null : Encoding.UTF8.GetString(utf8);
}
