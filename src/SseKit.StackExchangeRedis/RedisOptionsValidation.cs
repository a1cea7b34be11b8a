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
            options.TopicExpiry == Timeout.InfiniteTimeSpan || (options.TopicExpiry >= TimeSpan.FromMinutes(1) && options.TopicExpiry <= TimeSpan.FromDays(3650))
                ? null
                : $"{Prefix}{nameof(options.TopicExpiry)} is {options.TopicExpiry}; it must be between {TimeSpan.FromMinutes(1)} and 3650 days, or Timeout.InfiniteTimeSpan.",
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
}
