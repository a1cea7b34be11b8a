using System.Net.ServerSentEvents;
using System.Text;

namespace SseKit.Tests.Watching;

/// <summary>What the bytes of an event stream mean, by rules that are written down here once more.</summary>
internal static class StreamText
{
    public const string KeepAlive = ":\n";

    /// <summary>The events, as the framework reads them.</summary>
    public static async Task<List<string>> EventsAsync(byte[] stream)
    {
        var events = new List<string>();
        await foreach (var item in SseParser.Create(new MemoryStream(stream)).EnumerateAsync())
        {
            events.Add($"{item.EventType}|{item.EventId}|{item.ReconnectionInterval}|{item.Data}");
        }

        return events;
    }

    /// <summary>The lines, without the mark at the start; the last one may have no end.</summary>
    public static List<string> Lines(ReadOnlySpan<byte> stream)
    {
        var text = Encoding.Latin1.GetString(stream.StartsWith("\uFEFF"u8) ? stream[3..] : stream);
        return [.. text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Split('\n')];
    }

    /// <summary>Whether a comment may follow: no line is begun, and since the last blank line there was nothing but comments and retry.</summary>
    public static bool IsBetweenEvents(ReadOnlySpan<byte> stream)
    {
        var lines = Lines(stream);
        var inEvent = false;
        foreach (var line in lines[..^1])
        {
            inEvent = line.Length > 0 && (inEvent || !(line[0] == ':' || line.StartsWith("retry:", StringComparison.Ordinal)));
        }

        return lines[^1].Length == 0 && !inEvent;
    }

    /// <summary>Where the keep-alives are that stand within an event.</summary>
    public static List<int> MisplacedKeepAlives(ReadOnlySpan<byte> stream)
    {
        var misplaced = new List<int>();
        var inEvent = false;
        var lines = Lines(stream);
        for (var i = 0; i < lines.Count; i++)
        {
            if (lines[i] == ":" && inEvent)
            {
                misplaced.Add(i);
            }

            inEvent = lines[i].Length > 0 && (inEvent || !(lines[i][0] == ':' || lines[i].StartsWith("retry:", StringComparison.Ordinal)));
        }

        return misplaced;
    }

    public static List<string> WithoutKeepAlives(List<string> lines) => [.. lines.Where(line => line != ":")];
}
