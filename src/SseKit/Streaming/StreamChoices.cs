using Microsoft.AspNetCore.Http;

namespace SseKit.Streaming;

/// <summary>
/// Runs an endpoint's or result's configuration and checks what it chose, where it was chosen: an endpoint's while the app starts. Also the
/// one place that knows each setting's range.
/// </summary>
internal static class StreamChoices
{
    private static readonly TimeSpan LongestInterval = TimeSpan.FromDays(1);
    private static readonly TimeSpan ShortestKeepAlive = TimeSpan.FromMilliseconds(100);

    public static SseStreamOptions? Of(Action<SseStreamOptions>? configure)
    {
        if (configure is null)
        {
            return null;
        }

        var options = new SseStreamOptions();
        configure(options);
        return Check(options) is { } faults ? throw new ArgumentException(faults, nameof(configure)) : options;
    }

    /// <summary>
    /// The choices of an endpoint, however it came by them: what <c>WithMetadata</c> was given can be seen no earlier than when the endpoint is
    /// asked, and is checked then.
    /// </summary>
    public static SseStreamOptions? OfEndpoint(HttpContext context)
    {
        var endpoint = context.GetEndpoint();
        var options = endpoint?.Metadata.GetMetadata<SseStreamOptions>();
        return options is { IsChecked: false } && Check(options) is { } faults
            ? throw new InvalidOperationException($"The {nameof(SseStreamOptions)} of the endpoint '{endpoint!.DisplayName}' can't work. {faults}")
            : options;
    }

    private static string? Check(SseStreamOptions options)
    {
        var faults = string.Join(" ", Faults(options));
        options.IsChecked = faults.Length == 0;
        return options.IsChecked ? null : faults;
    }

    public static string? KeepAliveFault(TimeSpan value, string name) =>
        value == Timeout.InfiniteTimeSpan || (value >= ShortestKeepAlive && value <= LongestInterval)
            ? null
            : $"{name} is {value}; it must be between {ShortestKeepAlive} and {LongestInterval}, or Timeout.InfiniteTimeSpan for no keep-alives.";

    public static string? ReconnectionFault(TimeSpan value, string name) =>
        value >= TimeSpan.Zero && value <= LongestInterval ? null : $"{name} is {value}; it must be between {TimeSpan.Zero} and {LongestInterval}.";

    public static string? GapTypeFault(string? value, string name, string otherwise = "gap") => value switch
    {
        null or "" => $"{name} is empty; it needs an event type of its own. The default is '{otherwise}'.",
        "open" or "error" or "message" => $"{name} is '{value}', which fires another handler of EventSource. Choose another type; the default is '{otherwise}'.",
        _ when value.AsSpan().ContainsAny('\r', '\n', '\0') => $"{name} holds a CR, LF or NUL, which can't stand in an event type.",
        _ => null,
    };

    private static IEnumerable<string> Faults(SseStreamOptions options)
    {
        if (options.KeepAliveInterval is { } interval && KeepAliveFault(interval, nameof(options.KeepAliveInterval)) is { } keepAlive)
        {
            yield return keepAlive;
        }

        if (options.GapEventType is not null && GapTypeFault(options.GapEventType, nameof(options.GapEventType)) is { } gapType)
        {
            yield return gapType;
        }

        if (!Enum.IsDefined(options.Start))
        {
            yield return $"{nameof(options.Start)} is {options.Start}, which is no {nameof(SseStart)}.";
        }

        if (!Enum.IsDefined(options.OnGap))
        {
            yield return $"{nameof(options.OnGap)} is {options.OnGap}, which is no {nameof(SseGapAction)}.";
        }

        if (options.Snapshot is null && (options.Start == SseStart.Snapshot || options.OnGap == SseGapAction.Snapshot))
        {
            yield return $"{nameof(options.Start)} or {nameof(options.OnGap)} asks for a snapshot, but {nameof(options.Snapshot)} is not set. Set it to a function that yields the events.";
        }
    }
}
