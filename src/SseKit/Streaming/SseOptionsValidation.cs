using Microsoft.Extensions.Options;

namespace SseKit.Streaming;

/// <summary>Refuses settings that can't work when the app starts, all at once, each with its name, its value and the cure.</summary>
internal sealed class SseOptionsValidation : IValidateOptions<SseOptions>
{
    public ValidateOptionsResult Validate(string? name, SseOptions options)
    {
        const string Prefix = nameof(SseOptions) + ".";
        string?[] faults =
        [
            StreamChoices.KeepAliveFault(options.KeepAliveInterval, Prefix + nameof(options.KeepAliveInterval)),
            StreamChoices.ReconnectionFault(options.ReconnectionInterval, Prefix + nameof(options.ReconnectionInterval)),
            StreamChoices.GapTypeFault(options.GapEventType, Prefix + nameof(options.GapEventType)),
            Range(options.MaxEventsPerTopic, 1, 10_000_000, Prefix + nameof(options.MaxEventsPerTopic)),
            Range(options.MaxBytesPerTopic, 1024, 1024 * 1024 * 1024, Prefix + nameof(options.MaxBytesPerTopic)),
            Range(options.MaxTopics, 1, 10_000_000, Prefix + nameof(options.MaxTopics)),
            options.BacklogPollInterval < TimeSpan.FromMilliseconds(100) || options.BacklogPollInterval > TimeSpan.FromHours(1)
                ? $"{Prefix}{nameof(options.BacklogPollInterval)} is {options.BacklogPollInterval}; it must be between 100 ms and 1 hour."
                : null,
        ];
        var found = faults.OfType<string>().ToList();
        return found.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(found);
    }

    private static string? Range(long value, long least, long most, string name) =>
        value >= least && value <= most ? null : $"{name} is {value}; it must be between {least} and {most}.";
}
