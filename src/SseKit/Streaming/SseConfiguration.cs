using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace SseKit.Streaming;

/// <summary>
/// Reads settings from configuration, by a table and not by a binder: one that reflects can't be trimmed, and the code that the generator writes
/// for <see cref="SseOptions"/> goes on into <see cref="System.Text.Json.JsonSerializerOptions"/>, with warnings of the trimmer. A table
/// also tells a key that is misspelt.
/// </summary>
internal sealed class SseConfiguration(IConfiguration section) : IConfigureOptions<SseOptions>, IValidateOptions<SseOptions>
{
    // Each puts a text into its option, or tells what the text should have been.
    private static readonly Dictionary<string, Func<SseOptions, string, string?>> Settings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(SseOptions.KeepAliveInterval)] = Time<SseOptions>((o, value) => o.KeepAliveInterval = value),
        [nameof(SseOptions.ReconnectionInterval)] = Time<SseOptions>((o, value) => o.ReconnectionInterval = value),
        [nameof(SseOptions.ReconnectDelay)] = Time<SseOptions>((o, value) => o.ReconnectDelay = value),
        [nameof(SseOptions.ReconnectSpread)] = Time<SseOptions>((o, value) => o.ReconnectSpread = value),
        [nameof(SseOptions.DrainWindow)] = Time<SseOptions>((o, value) => o.DrainWindow = value),
        [nameof(SseOptions.MaxConnections)] = Number<SseOptions>((o, value) => o.MaxConnections = value),
        [nameof(SseOptions.MaxConnectionsPerKey)] = Number<SseOptions>((o, value) => o.MaxConnectionsPerKey = value),
        [nameof(SseOptions.MaxConnectionAge)] = Time<SseOptions>((o, value) => o.MaxConnectionAge = value),
        [nameof(SseOptions.EndWhenTicketExpires)] = Choice<SseOptions>((o, value) => o.EndWhenTicketExpires = value),
        [nameof(SseOptions.WriteTimeout)] = Time<SseOptions>((o, value) => o.WriteTimeout = value),
        [nameof(SseOptions.GapEventType)] = Text<SseOptions>((o, value) => o.GapEventType = value),
        [nameof(SseOptions.SendStartPosition)] = Choice<SseOptions>((o, value) => o.SendStartPosition = value),
        [nameof(SseOptions.SendCheckpoints)] = Choice<SseOptions>((o, value) => o.SendCheckpoints = value),
        [nameof(SseOptions.MaxEventsPerTopic)] = Number<SseOptions>((o, value) => o.MaxEventsPerTopic = value),
        [nameof(SseOptions.MaxBytesPerTopic)] = LongNumber<SseOptions>((o, value) => o.MaxBytesPerTopic = value),
        [nameof(SseOptions.MaxEventAge)] = Time<SseOptions>((o, value) => o.MaxEventAge = value),
        [nameof(SseOptions.MaxEventSize)] = Number<SseOptions>((o, value) => o.MaxEventSize = value),
        [nameof(SseOptions.IdleTopicTimeout)] = Time<SseOptions>((o, value) => o.IdleTopicTimeout = value),
        [nameof(SseOptions.EndEventType)] = Text<SseOptions>((o, value) => o.EndEventType = value),
        [nameof(SseOptions.ProducerLease)] = Time<SseOptions>((o, value) => o.ProducerLease = value),
        [nameof(SseOptions.ProducerDrainTime)] = Time<SseOptions>((o, value) => o.ProducerDrainTime = value),
        [nameof(SseOptions.MaxTopics)] = Number<SseOptions>((o, value) => o.MaxTopics = value),
        [nameof(SseOptions.BacklogPollInterval)] = Time<SseOptions>((o, value) => o.BacklogPollInterval = value),
    };

    private static readonly Dictionary<string, Func<SseRetentionRule, string, string?>> RuleSettings = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(SseRetentionRule.Topic)] = Text<SseRetentionRule>((rule, value) => rule.Topic = value),
        [nameof(SseRetentionRule.MaxEvents)] = Number<SseRetentionRule>((rule, value) => rule.MaxEvents = value),
        [nameof(SseRetentionRule.MaxBytes)] = LongNumber<SseRetentionRule>((rule, value) => rule.MaxBytes = value),
        [nameof(SseRetentionRule.MaxAge)] = Time<SseRetentionRule>((rule, value) => rule.MaxAge = value),
    };

    private static readonly HashSet<string> InCode = new(StringComparer.OrdinalIgnoreCase)
    {
        nameof(SseOptions.DrainEvent), nameof(SseOptions.ConnectionKey), nameof(SseOptions.OnError), nameof(SseOptions.JsonSerializerOptions),
    };

    public void Configure(SseOptions options) => Read(options);

    public ValidateOptionsResult Validate(string? name, SseOptions options)
    {
        // Once more, for what was wrong: only here can it be told together with all else that is.
        var faults = Read(new SseOptions());
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private List<string> Read(SseOptions options)
    {
        var faults = new List<string>();
        foreach (var setting in section.GetChildren())
        {
            if (InCode.Contains(setting.Key))
            {
                faults.Add($"{setting.Path} can't stand in configuration. Set it in code: services.Configure<{nameof(SseOptions)}>(o => o.{setting.Key} = …).");
            }
            else if (setting.Key.Equals(nameof(SseOptions.Retention), StringComparison.OrdinalIgnoreCase))
            {
                ReadRules(setting, options, faults);
            }
            else
            {
                Read(setting, options, Settings, $"no setting of SseKit. There are: {nameof(SseOptions.Retention)}, ", faults);
            }
        }

        return faults;
    }

    private static void ReadRules(IConfigurationSection rules, SseOptions options, List<string> faults)
    {
        if (!string.IsNullOrEmpty(rules.Value))
        {
            faults.Add($"{rules.Path} is '{rules.Value}'; it must be a list of rules, each with a {nameof(SseRetentionRule.Topic)}.");
        }

        foreach (var section in rules.GetChildren())
        {
            var rule = new SseRetentionRule();
            options.Retention.Add(rule);
            foreach (var setting in section.GetChildren())
            {
                Read(setting, rule, RuleSettings, "no setting of a rule. There are: ", faults);
            }
        }
    }

    private static void Read<T>(
        IConfigurationSection setting, T target, Dictionary<string, Func<T, string, string?>> settings, string unknown, List<string> faults)
    {
        if (!settings.TryGetValue(setting.Key, out var read))
        {
            faults.Add($"{setting.Path} is {unknown}{string.Join(", ", settings.Keys)}.");
        }
        else if (setting.Value is not { } text)
        {
            if (setting.GetChildren().Any())
            {
                faults.Add($"{setting.Path} is a section; it must be a value.");
            }
        }
        else if (read(target, text) is { } expected)
        {
            faults.Add($"{setting.Path} is '{text}'; it must be {expected}.");
        }
    }

    private static Func<TTarget, string, string?> Time<TTarget>(Action<TTarget, TimeSpan> set) => (target, text) =>
    {
        if (text.Equals("infinite", StringComparison.OrdinalIgnoreCase))
        {
            set(target, Timeout.InfiniteTimeSpan);
            return null;
        }

        // A bare number would be so many days.
        if (!text.Contains(':', StringComparison.Ordinal) || !TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value))
        {
            return "a time such as 00:00:15, which is 15 s, or 'infinite'";
        }

        set(target, value);
        return null;
    };

    private static Func<TTarget, string, string?> Number<TTarget>(Action<TTarget, int> set) => Parsed<TTarget, int>(set, "a whole number");

    private static Func<TTarget, string, string?> LongNumber<TTarget>(Action<TTarget, long> set) => Parsed<TTarget, long>(set, "a whole number");

    private static Func<TTarget, string, string?> Text<TTarget>(Action<TTarget, string> set) => Parsed<TTarget, string>(set, "a text");

    private static Func<TTarget, string, string?> Choice<TTarget>(Action<TTarget, bool> set) => (target, text) =>
    {
        if (!bool.TryParse(text, out var value))
        {
            return "true or false";
        }

        set(target, value);
        return null;
    };

    private static Func<TTarget, string, string?> Parsed<TTarget, T>(Action<TTarget, T> set, string expected)
        where T : IParsable<T> => (target, text) =>
    {
        if (!T.TryParse(text, CultureInfo.InvariantCulture, out var value))
        {
            return expected;
        }

        set(target, value);
        return null;
    };
}
