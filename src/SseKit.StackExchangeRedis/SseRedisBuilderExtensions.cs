using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SseKit;
using SseKit.StackExchangeRedis;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Keeps topics in Redis, so that any node of an app serves any client.</summary>
public static class SseRedisBuilderExtensions
{
    private const string LogCategory = "SseKit.StackExchangeRedis";

    /// <summary>Keeps topics in Redis.</summary>
    /// <param name="builder">What <c>AddSse()</c> returned.</param>
    /// <param name="configuration">Where Redis is, as StackExchange.Redis writes it: <c>localhost:6379</c>, <c>redis1:6379,redis2:6379,password=…,ssl=true</c>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">The configuration can't be understood.</exception>
    public static ISseBuilder AddStackExchangeRedis(this ISseBuilder builder, string configuration)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        var parsed = ConfigurationOptions.Parse(configuration);
        return builder.AddStackExchangeRedis(options => options.Configuration = parsed);
    }

    /// <summary>Keeps topics in Redis.</summary>
    /// <param name="builder">What <c>AddSse()</c> returned.</param>
    /// <param name="configure">Settings: at least <see cref="SseRedisOptions.Configuration"/> or <see cref="SseRedisOptions.Connect"/>. Checked when the app starts.</param>
    /// <returns>The builder.</returns>
    public static ISseBuilder AddStackExchangeRedis(this ISseBuilder builder, Action<SseRedisOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        var services = builder.Services;
        services.AddOptions<SseRedisOptions>().Configure(configure).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SseRedisOptions>, RedisOptionsValidation>());
        services.TryAddSingleton(provider => new RedisConnection(Options(provider), provider));
        services.TryAddSingleton(provider => new RedisProbe(provider.GetRequiredService<RedisConnection>(), Options(provider)));
        services.Replace(ServiceDescriptor.Singleton<ISseBacklog>(provider =>
            new RedisBacklog(
            provider.GetRequiredService<RedisConnection>(), Options(provider), provider.GetRequiredService<IOptions<SseOptions>>().Value, Logger(provider))));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, RedisStart>(provider =>
            new RedisStart(provider.GetRequiredService<RedisProbe>(), Logger(provider))));
        return builder;
    }

    /// <summary>
    /// Adds a health check that tries what topics need of Redis and says by name what is missing: the server, the password, the database,
    /// Streams, or a permission.
    /// </summary>
    /// <param name="builder">What <c>AddHealthChecks()</c> returned.</param>
    /// <param name="name">The check's name. Default <c>sse-redis</c>.</param>
    /// <param name="failureStatus">What is reported when it fails. Default null: unhealthy. An app that can do without live events may prefer degraded.</param>
    /// <param name="tags">Tags to choose the check by. Default none.</param>
    /// <returns>The builder.</returns>
    public static IHealthChecksBuilder AddSseRedis(
        this IHealthChecksBuilder builder, string name = "sse-redis", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new HealthCheckRegistration(
            name,
            provider => new RedisHealthCheck(provider.GetService<RedisProbe>()
                ?? throw new InvalidOperationException("The health check of SseKit's Redis needs builder.Services.AddSse().AddStackExchangeRedis(…), which was not called.")),
            failureStatus,
            tags));
    }

    private static SseRedisOptions Options(IServiceProvider provider) => provider.GetRequiredService<IOptions<SseRedisOptions>>().Value;

    private static ILogger Logger(IServiceProvider provider) => provider.GetRequiredService<ILoggerFactory>().CreateLogger(LogCategory);
}
