using System.Text;
using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>
/// The event that tells a subscriber that something is missing. The id is the position at which what follows begins: a client that is cut
/// off right after it comes back to there. Before a snapshot it has none, so that the client comes back to the gap.
/// </summary>
internal static class GapFrame
{
    public const string Trimmed = "trimmed";
    public const string Unknown = "unknown";
    public const string Malformed = "malformed";
    public const string Lost = "lost";

    public static byte[] Encode(string eventType, string reason, string requested, string? id)
    {
        // Told back only where it is of the id alphabet: it came from outside, and nothing needs escaping then.
        var also = FieldRules.IsTopicId(requested) ? $",\"requested\":\"{requested}\"" : "";
        return Encoding.UTF8.GetBytes($"event: {eventType}\ndata: {{\"reason\":\"{reason}\"{also}}}\n{(id is null ? "" : $"id: {id}\n")}\n");
    }
}
