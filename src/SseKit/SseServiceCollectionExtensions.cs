using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SseKit;
using SseKit.Producing;
using SseKit.Streaming;
using SseKit.Topics;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers SseKit.</summary>
public static class SseServiceCollectionExtensions
{
    /// <summary>Registers topics with an in-memory backlog, under the default settings.</summary>
    /// <param name="services">The app's services.</param>
    /// <returns>A builder, for packages that add a store.</returns>
    public static ISseBuilder AddSse(this IServiceCollection services) => services.AddSse(_ => { });

    /// <summary>
    /// Registers topics with an in-memory backlog, under settings from the app's configuration: <c>AddSse(builder.Configuration.GetSection("Sse"))</c>.
    /// What can't stand in a file (functions, events) follows by <c>Configure&lt;SseOptions&gt;(o => …)</c>.
    /// </summary>
    /// <param name="services">The app's services.</param>
    /// <param name="configuration">
    /// The section. Its keys are the properties of <see cref="SseOptions"/>; times are written <c>00:00:15</c>, or <c>infinite</c>. A key that is
    /// none of them, or a value that can't be read, keeps the app from starting. It is read once: what changes while the app runs counts from its
    /// next start, and until then all streams live under the same settings.
    /// </param>
    /// <returns>A builder, for packages that add a store.</returns>
    public static ISseBuilder AddSse(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configuration);
        var settings = new SseConfiguration(configuration);
        services.AddSingleton<IConfigureOptions<SseOptions>>(settings);
        services.AddSingleton<IValidateOptions<SseOptions>>(settings);
        return services.AddSse();
    }

    /// <summary>Registers topics with an in-memory backlog. To use another store, register an <see cref="ISseBacklog"/> of your own.</summary>
    /// <param name="services">The app's services.</param>
    /// <param name="configure">Settings; checked when the app starts.</param>
    /// <returns>A builder, for packages that add a store.</returns>
    public static ISseBuilder AddSse(this IServiceCollection services, Action<SseOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddOptions<SseOptions>().Configure(configure).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SseOptions>, SseOptionsValidation>());
        services.TryAddSingleton(provider => StreamHost.Create(provider, provider.GetRequiredService<SseTopics>));
        services.TryAddSingleton(provider => new EndingRelay(provider.GetRequiredService<StreamHost>(), provider.GetRequiredService<ISseBacklog>()));
        services.AddHostedService(provider => provider.GetRequiredService<EndingRelay>());
        services.TryAddSingleton<ISseConnections, SseConnections>();
        services.TryAddSingleton<ISseBacklog>(provider => new InMemoryBacklog(
            provider.GetRequiredService<IOptions<SseOptions>>().Value, provider.GetService<TimeProvider>()));
        services.TryAddSingleton(provider =>
        {
            var host = provider.GetRequiredService<StreamHost>();
            return new SseTopics(provider.GetRequiredService<ISseBacklog>(), host.Options, host.Json, host.Time, host.Logger, host.Metrics);
        });
        services.TryAddSingleton<ISseTopics>(provider => provider.GetRequiredService<SseTopics>());
        services.TryAddSingleton<ProducerShutdown>();
        services.AddHostedService(provider => provider.GetRequiredService<ProducerShutdown>());
        services.TryAddSingleton(provider =>
        {
            var host = provider.GetRequiredService<StreamHost>();
            var producers = new SseProducers(
                provider.GetRequiredService<ISseBacklog>(),
                provider.GetRequiredService<SseTopics>(),
                provider.GetRequiredService<IServiceScopeFactory>(),
                host.Options,
                host.Json,
                host.Time,
                host.Logger,
                host.Stopping);
            provider.GetRequiredService<ProducerShutdown>().WaitFor(producers, host.Stopping);
            return producers;
        });
        services.TryAddSingleton<ISseProducers>(provider => provider.GetRequiredService<SseProducers>());
        return new SseBuilder(services);
    }

    private sealed record SseBuilder(IServiceCollection Services) : ISseBuilder;
}
