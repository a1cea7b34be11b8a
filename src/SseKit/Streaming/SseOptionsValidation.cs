using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using SseKit.Topics;

namespace SseKit.Streaming;

/// <summary>Refuses settings that can't work when the app starts, all at once, each with its name, its value and the cure.</summary>
internal sealed class SseOptionsValidation(IOptions<HostOptions> host) : IValidateOptions<SseOptions>
{
    private const int MostEvents = 10_000_000;
    private const int LeastBytes = 1024;
    private const int MostBytes = 1024 * 1024 * 1024;
    private static readonly TimeSpan LongestAge = TimeSpan.FromDays(365);

    public ValidateOptionsResult Validate(string? name, SseOptions options)
    {
        const string Prefix = nameof(SseOptions) + ".";
        string?[] faults =
        [
            StreamChoices.KeepAliveFault(options.KeepAliveInterval, Prefix + nameof(options.KeepAliveInterval)),
            StreamChoices.ReconnectionFault(options.ReconnectionInterval, Prefix + nameof(options.ReconnectionInterval)),
            options.ReconnectDelay is { } delay ? StreamChoices.ReconnectionFault(delay, Prefix + nameof(options.ReconnectDelay)) : null,
            StreamChoices.ReconnectionFault(options.ReconnectSpread, Prefix + nameof(options.ReconnectSpread)),
            options.DrainWindow >= TimeSpan.Zero && (options.DrainWindow == TimeSpan.Zero || options.DrainWindow < host.Value.ShutdownTimeout)
                ? null
                : $"{Prefix}{nameof(options.DrainWindow)} is {options.DrainWindow}; it must be zero or more and shorter than HostOptions.ShutdownTimeout, which is {host.Value.ShutdownTimeout}.",
            options.MaxConnections is { } connections ? Range(connections, 1, int.MaxValue, Prefix + nameof(options.MaxConnections)) : null,
            options.MaxConnectionsPerKey is { } perKey ? Range(perKey, 1, int.MaxValue, Prefix + nameof(options.MaxConnectionsPerKey)) : null,
            options.MaxConnectionsPerKey is not null && options.ConnectionKey is null
                ? $"{Prefix}{nameof(options.MaxConnectionsPerKey)} is {options.MaxConnectionsPerKey}, but {Prefix}{nameof(options.ConnectionKey)} is not set. Set it to a function that gives the user or address of a request."
                : null,
            options.MaxConnectionsPerKey > options.MaxConnections
                ? $"{Prefix}{nameof(options.MaxConnectionsPerKey)} is {options.MaxConnectionsPerKey}, but {Prefix}{nameof(options.MaxConnections)} is {options.MaxConnections}, so that no key could have as many. Lower the one, or raise the other."
                : null,
            options.MaxConnectionAge < TimeSpan.FromSeconds(1)
                ? $"{Prefix}{nameof(options.MaxConnectionAge)} is {options.MaxConnectionAge}; it must be 1 s or more, or null for no limit."
                : null,
            options.WriteTimeout == Timeout.InfiniteTimeSpan || (options.WriteTimeout >= TimeSpan.FromSeconds(1) && options.WriteTimeout <= TimeSpan.FromHours(1))
                ? null
                : $"{Prefix}{nameof(options.WriteTimeout)} is {options.WriteTimeout}; it must be between 1 s and 1 hour, or Timeout.InfiniteTimeSpan for no limit.",
            StreamChoices.GapTypeFault(options.GapEventType, Prefix + nameof(options.GapEventType)),
            Range(options.MaxEventsPerTopic, 1, MostEvents, Prefix + nameof(options.MaxEventsPerTopic)),
            Range(options.MaxBytesPerTopic, LeastBytes, MostBytes, Prefix + nameof(options.MaxBytesPerTopic)),
            Range(options.MaxEventSize, LeastBytes, MostBytes, Prefix + nameof(options.MaxEventSize)),
            AgeFault(options.MaxEventAge, Prefix + nameof(options.MaxEventAge)),
            .. options.Retention.SelectMany((rule, index) => RetentionFaults(rule, index, options.Retention)),
            Range(options.MaxTopics, 1, 10_000_000, Prefix + nameof(options.MaxTopics)),
            StreamChoices.GapTypeFault(options.EndEventType, Prefix + nameof(options.EndEventType), "end"),
            options.EndEventType == options.GapEventType
                ? $"{Prefix}{nameof(options.EndEventType)} is '{options.EndEventType}', as {Prefix}{nameof(options.GapEventType)} is. They need different types; the defaults are 'end' and 'gap'."
                : null,
            options.ProducerLease < TimeSpan.FromSeconds(1) || options.ProducerLease > TimeSpan.FromHours(1)
                ? $"{Prefix}{nameof(options.ProducerLease)} is {options.ProducerLease}; it must be between 1 s and 1 hour."
                : null,
            options.ProducerDrainTime < TimeSpan.Zero || options.ProducerDrainTime > TimeSpan.FromDays(1)
                ? $"{Prefix}{nameof(options.ProducerDrainTime)} is {options.ProducerDrainTime}; it must be between {TimeSpan.Zero} and one day."
                : null,
            options.BacklogPollInterval < TimeSpan.FromMilliseconds(100) || options.BacklogPollInterval > TimeSpan.FromHours(1)
                ? $"{Prefix}{nameof(options.BacklogPollInterval)} is {options.BacklogPollInterval}; it must be between 100 ms and 1 hour."
                : null,
            options.IdleTopicTimeout == Timeout.InfiniteTimeSpan || (options.IdleTopicTimeout >= TimeSpan.FromMinutes(1) && options.IdleTopicTimeout <= LongestAge)
                ? null
                : $"{Prefix}{nameof(options.IdleTopicTimeout)} is {options.IdleTopicTimeout}; it must be between 1 minute and 365 days, or Timeout.InfiniteTimeSpan for never.",
        ];
        var found = faults.OfType<string>().ToList();
        return found.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(found);
    }

    private static IEnumerable<string?> RetentionFaults(SseRetentionRule rule, int index, IList<SseRetentionRule> rules)
    {
        var name = $"{nameof(SseOptions)}.{nameof(SseOptions.Retention)}[{index}]";
        if (rule is null)
        {
            return [$"{name} is null; leave it out."];
        }

        var topic = TopicPattern.Fault(rule.Topic);
        var first = rules.Take(index).FirstOrDefault(earlier => earlier is not null && TopicPattern.Covers(earlier.Topic, rule.Topic));
        return
        [
            topic is null ? null : $"{name}.{nameof(rule.Topic)} {topic}",
            topic is null && first is not null
                ? $"{name}.{nameof(rule.Topic)} is '{rule.Topic}', but '{first.Topic}' comes before it and matches all that it does. Put it first, or leave it out."
                : null,
            rule.MaxEvents is { } events ? Range(events, 1, MostEvents, $"{name}.{nameof(rule.MaxEvents)}") : null,
            rule.MaxBytes is { } bytes ? Range(bytes, LeastBytes, MostBytes, $"{name}.{nameof(rule.MaxBytes)}") : null,
            rule.MaxAge is { } age ? AgeFault(age, $"{name}.{nameof(rule.MaxAge)}") : null,
        ];
    }

    private static string? AgeFault(TimeSpan age, string name) =>
        age == Timeout.InfiniteTimeSpan || (age >= TimeSpan.FromSeconds(1) && age <= LongestAge)
            ? null
            : $"{name} is {age}; it must be between 1 s and 365 days, or Timeout.InfiniteTimeSpan for no limit.";

    private static string? Range(long value, long least, long most, string name) =>
        value >= least && value <= most ? null : $"{name} is {value}; it must be between {least} and {most}.";
}
