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
        [nameof(SseOptions.KeepAliveInterval)] = Time((o, value) => o.KeepAliveInterval = value),
        [nameof(SseOptions.ReconnectionInterval)] = Time((o, value) => o.ReconnectionInterval = value),
        [nameof(SseOptions.ReconnectDelay)] = Time((o, value) => o.ReconnectDelay = value),
        [nameof(SseOptions.ReconnectSpread)] = Time((o, value) => o.ReconnectSpread = value),
        [nameof(SseOptions.DrainWindow)] = Time((o, value) => o.DrainWindow = value),
        [nameof(SseOptions.MaxConnections)] = Number((o, value) => o.MaxConnections = value),
        [nameof(SseOptions.MaxConnectionsPerKey)] = Number((o, value) => o.MaxConnectionsPerKey = value),
        [nameof(SseOptions.MaxConnectionAge)] = Time((o, value) => o.MaxConnectionAge = value),
        [nameof(SseOptions.EndWhenTicketExpires)] = Choice((o, value) => o.EndWhenTicketExpires = value),
        [nameof(SseOptions.WriteTimeout)] = Time((o, value) => o.WriteTimeout = value),
        [nameof(SseOptions.GapEventType)] = Text((o, value) => o.GapEventType = value),
        [nameof(SseOptions.SendStartPosition)] = Choice((o, value) => o.SendStartPosition = value),
        [nameof(SseOptions.SendCheckpoints)] = Choice((o, value) => o.SendCheckpoints = value),
        [nameof(SseOptions.MaxEventsPerTopic)] = Number((o, value) => o.MaxEventsPerTopic = value),
        [nameof(SseOptions.MaxBytesPerTopic)] = LongNumber((o, value) => o.MaxBytesPerTopic = value),
        [nameof(SseOptions.MaxTopics)] = Number((o, value) => o.MaxTopics = value),
        [nameof(SseOptions.BacklogPollInterval)] = Time((o, value) => o.BacklogPollInterval = value),
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
            if (Fault(setting, options) is { } fault)
            {
                faults.Add(fault);
            }
        }

        return faults;
    }

    private static string? Fault(IConfigurationSection setting, SseOptions options)
    {
        if (InCode.Contains(setting.Key))
        {
            return $"{setting.Path} can't stand in configuration. Set it in code: services.Configure<{nameof(SseOptions)}>(o => o.{setting.Key} = …).";
        }

        if (!Settings.TryGetValue(setting.Key, out var read))
        {
            return $"{setting.Path} is no setting of SseKit. There are: {string.Join(", ", Settings.Keys)}.";
        }

        if (setting.Value is not { } text)
        {
            return setting.GetChildren().Any() ? $"{setting.Path} is a section; it must be a value." : null;
        }

        return read(options, text) is { } expected ? $"{setting.Path} is '{text}'; it must be {expected}." : null;
    }

    private static Func<SseOptions, string, string?> Time(Action<SseOptions, TimeSpan> set) => (options, text) =>
    {
        if (text.Equals("infinite", StringComparison.OrdinalIgnoreCase))
        {
            set(options, Timeout.InfiniteTimeSpan);
            return null;
        }

        // A bare number would be so many days.
        if (!text.Contains(':', StringComparison.Ordinal) || !TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value))
        {
            return "a time such as 00:00:15, which is 15 s, or 'infinite'";
        }

        set(options, value);
        return null;
    };

    private static Func<SseOptions, string, string?> Number(Action<SseOptions, int> set) => Parsed<int>(set, "a whole number");

    private static Func<SseOptions, string, string?> LongNumber(Action<SseOptions, long> set) => Parsed<long>(set, "a whole number");

    private static Func<SseOptions, string, string?> Text(Action<SseOptions, string> set) => Parsed<string>(set, "a text");

    private static Func<SseOptions, string, string?> Choice(Action<SseOptions, bool> set) => (options, text) =>
    {
        if (!bool.TryParse(text, out var value))
        {
            return "true or false";
        }

        set(options, value);
        return null;
    };

    private static Func<SseOptions, string, string?> Parsed<T>(Action<SseOptions, T> set, string expected)
        where T : IParsable<T> => (options, text) =>
    {
        if (!T.TryParse(text, CultureInfo.InvariantCulture, out var value))
        {
            return expected;
        }

        set(options, value);
        return null;
    };
}
