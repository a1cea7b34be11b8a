using System.Diagnostics;

namespace SseKit.Diagnostics;

/// <summary>The span of a publish, by OpenTelemetry's conventions for messaging; null where nobody listens.</summary>
internal static class PublishTrace
{
    private static readonly ActivitySource Source = new(SseMetrics.Name, SseMetrics.Version);

    public static Activity? Start(string topic, int size)
    {
        var activity = Start(topic);
        activity?.SetTag("messaging.message.body.size", size);
        return activity;
    }

    /// <summary>Of several events that are stored in one step: one span, which has no id and no size, for these are of one message.</summary>
    public static Activity? StartBatch(string topic, int count)
    {
        var activity = Start(topic);
        activity?.SetTag("messaging.batch.message_count", count);
        return activity;
    }

    public static void Done(Activity? activity, string id) => activity?.SetTag("messaging.message.id", id);

    public static void Failed(Activity? activity, Exception exception)
    {
        activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
        activity?.SetTag("error.type", exception.GetType().FullName);
    }

    private static Activity? Start(string topic)
    {
        var activity = Source.StartActivity("publish", ActivityKind.Producer);
        if (activity is not null)
        {
            activity.DisplayName = $"publish {topic}";
            activity.SetTag("messaging.system", "ssekit");
            activity.SetTag("messaging.operation.name", "publish");
            activity.SetTag("messaging.operation.type", "send");
            activity.SetTag("messaging.destination.name", topic);
        }

        return activity;
    }
}
