using Microsoft.Extensions.Options;

namespace SseKit.StackExchangeRedis;

/// <summary>Refuses settings that can't work when the app starts, all at once, each with its name, its value and the cure.</summary>
internal sealed class RedisOptionsValidation : IValidateOptions<SseRedisOptions>
{
    private const string Prefix = nameof(SseRedisOptions) + ".";
    private const int MaxPrefix = 200;

    public ValidateOptionsResult Validate(string? name, SseRedisOptions options)
    {
        string?[] faults =
        [
            ConnectionFault(options),
            options.KeyPrefix is null or { Length: > MaxPrefix }
                ? $"{Prefix}{nameof(options.KeyPrefix)} is {(options.KeyPrefix is null ? "null" : $"{options.KeyPrefix.Length} characters long")}; it must be at most {MaxPrefix} characters. Leave it at 'sse:' unless several apps share a Redis."
                : null,
            options.Database < 0 ? $"{Prefix}{nameof(options.Database)} is {options.Database}; it must be zero or more, or null for the connection's own." : null,
            options.MaxEvents is < 1 or > 10_000_000 ? $"{Prefix}{nameof(options.MaxEvents)} is {options.MaxEvents}; it must be between 1 and 10000000." : null,
            SpanFault(options.MaxAge, TimeSpan.FromSeconds(1), Prefix + nameof(options.MaxAge)),
            SpanFault(options.TopicExpiry, TimeSpan.FromMinutes(1), Prefix + nameof(options.TopicExpiry)),
            options.MaxAge > options.TopicExpiry && options.TopicExpiry != Timeout.InfiniteTimeSpan
                ? $"{Prefix}{nameof(options.MaxAge)} is {options.MaxAge}, but an idle topic is dropped after {Prefix}{nameof(options.TopicExpiry)}, {options.TopicExpiry}. Raise the latter."
                : null,
        ];
        var found = faults.OfType<string>().ToList();
        return found.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(found);
    }

    private static string? ConnectionFault(SseRedisOptions options) => options switch
    {
        { Configuration: null, Connect: null } =>
            $"{Prefix}{nameof(options.Configuration)} is null, and so is {Prefix}{nameof(options.Connect)}; set one of them to say where Redis is.",
        { Configuration: not null, Connect: not null } =>
            $"{Prefix}{nameof(options.Configuration)} and {Prefix}{nameof(options.Connect)} are both set; set one of them.",
        { Configuration.EndPoints.Count: 0 } =>
            $"{Prefix}{nameof(options.Configuration)} names no server; give it a host and a port, such as 'localhost:6379'.",
        _ => null,
    };

    private static string? SpanFault(TimeSpan value, TimeSpan least, string name) =>
        value == Timeout.InfiniteTimeSpan || (value >= least && value <= TimeSpan.FromDays(3650))
            ? null
            : $"{name} is {value}; it must be between {least} and 3650 days, or Timeout.InfiniteTimeSpan.";
}
