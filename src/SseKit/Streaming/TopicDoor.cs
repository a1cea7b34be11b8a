using Microsoft.AspNetCore.Http;
using SseKit.Topics;

namespace SseKit.Streaming;

/// <summary>Makes the source of a stream that reads a topic.</summary>
internal static class TopicDoor
{
    public static FrameSource Open(HttpContext context, StreamHost host, string topic, SseStreamOptions? options, CancellationToken cancellationToken)
    {
        var topics = host.Topics?.Invoke() ?? throw Unregistered("EventSourceResult.FromTopic");
        var endpoint = StreamChoices.OfEndpoint(context);
        var choices = options ?? endpoint;
        var snapshot = choices?.Snapshot;
        var filter = (options?.Filter ?? endpoint?.Filter)?.Invoke(context);
        var checkpoints = options?.SendCheckpoints ?? endpoint?.SendCheckpoints ?? host.Options.SendCheckpoints;
        var request = new TopicRequest
        {
            Topic = topic,
            LastEventId = context.Request.GetLastEventId(),
            Start = choices?.Start ?? SseStart.Live,
            OnGap = choices?.OnGap ?? SseGapAction.Replay,
            Snapshot = snapshot is null ? null : stop => snapshot(context, stop),
            SendStartPosition = options?.SendStartPosition ?? endpoint?.SendStartPosition ?? host.Options.SendStartPosition,
            Selection = filter is null && !checkpoints ? null : new Selection(filter, checkpoints),
            GapEventType = options?.GapEventType ?? endpoint?.GapEventType ?? host.Options.GapEventType,
            Json = host.Json,
        };
        return topics.Subscribe(request, cancellationToken);
    }

    public static InvalidOperationException Unregistered(string what) =>
        new($"{what} needs the topic services, which are not registered. Call builder.Services.AddSse() before the app is built.");
}
