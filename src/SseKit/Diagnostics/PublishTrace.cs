using System.Diagnostics;

namespace SseKit.Diagnostics;

/// <summary>
/// The span of a publish and that of its delivery, by OpenTelemetry's conventions for messaging; null where nobody listens. The delivery is one
/// span for an event, however many streams it goes to: one for each would cost more than the sending, and links on the spans of the streams,
/// which last for hours, would be seen late and cut off by exporters after the first 128.
/// </summary>
internal static class PublishTrace
{
    private const string Publish = "publish";

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

    /// <summary>
    /// The delivery of an event that is being published right now, to streams that wait for it. A child of the publish, so that it is seen with
    /// it, and linked to it, as the conventions ask.
    /// </summary>
    public static Activity? StartDelivery(string topic, string id, int streams)
    {
        if (streams == 0
            || !Source.HasListeners()
            || Activity.Current is not { OperationName: Publish } publish
            || publish.Source != Source
            || Source.StartActivity("deliver", ActivityKind.Consumer, publish.Context, links: [new ActivityLink(publish.Context)]) is not { } activity)
        {
            return null;
        }

        Describe(activity, "deliver", "process", topic);
        activity.SetTag("messaging.message.id", id);
        activity.SetTag("ssekit.deliver.streams", streams);
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
        var activity = Source.StartActivity(Publish, ActivityKind.Producer);
        if (activity is not null)
        {
            Describe(activity, Publish, "send", topic);
        }

        return activity;
    }

    private static void Describe(Activity activity, string name, string type, string topic)
    {
        activity.DisplayName = $"{name} {topic}";
        activity.SetTag("messaging.system", "ssekit");
        activity.SetTag("messaging.operation.name", name);
        activity.SetTag("messaging.operation.type", type);
        activity.SetTag("messaging.destination.name", topic);
    }
}
