using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Diagnostics;
using SseKit.Producing;
using SseKit.Topics;

namespace SseKit.Streaming;

/// <summary>Makes the source of a stream that reads a producer, and tells who has nothing to come for.</summary>
internal static class ProducerDoor
{
    public static Func<HttpContext, StreamHost, CancellationToken, FrameSource> Opening(ProducerPlan plan) => (context, host, stop) =>
    {
        var endpoint = context.GetEndpoint()?.Metadata.GetMetadata<SseStreamOptions>();
        var request = new TopicRequest
        {
            Topic = plan.Topic,
            LastEventId = context.Request.GetLastEventId(),
            Start = SseStart.Earliest,
            SendStartPosition = endpoint?.SendStartPosition ?? host.Options.SendStartPosition,
            GapEventType = endpoint?.GapEventType ?? host.Options.GapEventType,
            Json = host.Json,
        };
        return new TopicFrames(ProducersOf(context).ReadAsync(plan, request, stop), stop);
    };

    /// <summary>Looked at before the headers leave, since the answer is a status.</summary>
    public static Func<HttpContext, StreamHost, ValueTask<bool>> IsOver(ProducerPlan plan) => async (context, host) =>
    {
        var lastEventId = context.Request.GetLastEventId();
        if ((lastEventId is null && plan.Source is not null) || HttpMethods.IsHead(context.Request.Method) || host.Stopping.IsCancellationRequested)
        {
            return false;
        }

        var producers = ProducersOf(context);
        try
        {
            return await producers.IsOverForAsync(plan.Topic, lastEventId, context.RequestAborted);
        }
        catch (Exception exception) when (exception is not InvalidOperationException)
        {
            // The stream meets the same store, and knows what to tell the client then.
            Log.LeaseFailed(host.Logger, plan.Topic, exception);
            return false;
        }
    };

    private static SseProducers ProducersOf(HttpContext context)
    {
        IServiceProvider? services = context.RequestServices;
        return services?.GetService<SseProducers>() ?? throw TopicDoor.Unregistered("EventSourceResult.FromProducer");
    }
}
