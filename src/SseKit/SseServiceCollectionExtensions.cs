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
        services.TryAddSingleton<StreamHost>(StreamHost.Create);
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
