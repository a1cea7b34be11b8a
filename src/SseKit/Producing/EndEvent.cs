using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using SseKit.Topics;
using SseKit.Wire;

namespace SseKit.Producing;

/// <summary>The event that tells how a producer ended, so that no reader waits for ever.</summary>
internal static class EndEvent
{
    /// <summary>
    /// The id of the end that is told where there is no producer (any more), and so no topic to give one. Who comes back with it has been told,
    /// by whatever node, before or after whatever restart.
    /// </summary>
    public const string LostId = "lost.end";

    public static SseEvent Of(string eventType, SseProducerState outcome, string? message)
    {
        var also = message is null ? "" : $",\"message\":\"{JsonEncodedText.Encode(message, JavaScriptEncoder.Default)}\"";
        return new SseEvent($"{{\"state\":\"{outcome.Word()}\"{also}}}", eventType);
    }

    /// <summary>What a reader gets of a producer that is not known: a gap where it has an id to go on from, and the end.</summary>
    public static byte[] Lost(TopicRequest request, string endEventType, string reason)
    {
        var end = Encoding.UTF8.GetBytes($"event: {endEventType}\ndata: {{\"state\":\"lost\"}}\nid: {LostId}\n\n");
        return request.LastEventId is { } requested
            ? [.. GapFrame.Encode(request.GapEventType, FieldRules.IsTopicId(requested) ? reason : GapFrame.Malformed, requested, id: null), .. end]
            : end;
    }
}
