using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using SseKit.Diagnostics;
using SseKit.Topics;

namespace SseKit.Streaming;

/// <summary>
/// What the streams of one host share: settings, clock, log. Registered by <c>AddSse</c>; where nothing was registered it hangs on the server's
/// features, never on a static: two hosts in one process must not stop each other's streams.
/// </summary>
internal sealed class StreamHost
{
    // A source that computes without ever being pending must not hold its events back until a buffer is full.
    private const int FlushesPerSecond = 100;

    private static readonly Lock FeatureGate = new();

    private long _coarseTime;
    private long _now;

    public StreamHost(SseOptions options, JsonSerializerOptions json, TimeProvider time, ILogger logger, CancellationToken stopping, SseMetrics? metrics = null)
    {
        Options = options;
        Json = json;
        Time = time;
        Logger = logger;
        Stopping = stopping;
        FlushAfter = time.TimestampFrequency / FlushesPerSecond;
        Metrics = metrics ?? SseMetrics.Create(factory: null);
        Settings = new StreamSettings { KeepAliveInterval = options.KeepAliveInterval, OnError = options.OnError };
        KeepAlive = new KeepAliveClock(time);
        Streams = new StreamRegistry(options, time, stopping);
    }

    public SseOptions Options { get; }

    /// <summary>The settings of a stream whose endpoint and result chose nothing.</summary>
    public StreamSettings Settings { get; }

    public JsonSerializerOptions Json { get; }

    public TimeProvider Time { get; }

    /// <summary>For how long a stream holds its events back while its source has more, in the clock's timestamps.</summary>
    public long FlushAfter { get; }

    public ILogger Logger { get; }

    /// <summary>Set when the app begins to stop.</summary>
    public CancellationToken Stopping { get; }

    public SseMetrics Metrics { get; }

    public KeepAliveClock KeepAlive { get; }

    public StreamRegistry Streams { get; }

    /// <summary>The topics, where they are registered.</summary>
    public Func<SseTopics>? Topics { get; private init; }

    /// <summary>The server, where the app has one.</summary>
    public IServer? Server { get; private init; }

    /// <summary>What compresses responses, where the app has it.</summary>
    public IResponseCompressionProvider? Compression { get; private init; }

    /// <param name="services">The app's services, of which only singletons are asked for; null where there are none.</param>
    /// <param name="topics">Gives the topics, where they are registered.</param>
    public static StreamHost Create(IServiceProvider? services, Func<SseTopics>? topics = null)
    {
        var options = services?.GetService<IOptions<SseOptions>>()?.Value ?? new SseOptions();
        return new StreamHost(
            options,
            JsonOf(options, services),
            services?.GetService<TimeProvider>() ?? TimeProvider.System,
            services?.GetService<ILoggerFactory>()?.CreateLogger("SseKit") ?? NullLogger.Instance,
            services?.GetService<IHostApplicationLifetime>()?.ApplicationStopping ?? CancellationToken.None,
            SseMetrics.Create(services?.GetService<IMeterFactory>()))
        {
            Topics = topics,
            Server = services?.GetService<IServer>(),
            Compression = services?.GetService<IResponseCompressionProvider>(),
        };
    }

    /// <summary>
    /// The time, give or take a few milliseconds. The precise clock costs a quarter of what a small event does: the system's is asked when the
    /// coarse one, which moves every few milliseconds, has.
    /// </summary>
    public long Now()
    {
        if (!ReferenceEquals(Time, TimeProvider.System))
        {
            return Time.GetTimestamp();
        }

        var coarse = Environment.TickCount64;
        if (coarse == Volatile.Read(ref _coarseTime))
        {
            return Volatile.Read(ref _now);
        }

        // In this order: whoever sees this tick sees a time of it, or of a thread that was held up just before.
        var now = Time.GetTimestamp();
        Volatile.Write(ref _now, now);
        Volatile.Write(ref _coarseTime, coarse);
        return now;
    }

    /// <summary>How long a client that is sent away is told to stay: a time of its own, so that not all come back at once.</summary>
    public TimeSpan TimeAway(bool stopping) =>
        ((stopping ? Options.ReconnectDelay : null) ?? Options.ReconnectionInterval) + (Options.ReconnectSpread * Random.Shared.NextDouble());

    /// <summary>The host that a request belongs to.</summary>
    public static StreamHost Of(HttpContext context)
    {
        // A scope for the request's services costs an idle stream 300 bytes, and nothing here needs one. But where somebody has made it, or has
        // put services of their own into the request, those count.
        if (context.Features.Get<IServiceProvidersFeature>() is null
            && context.GetEndpoint()?.Metadata.GetMetadata<EndpointHost>()?.Host is { } host)
        {
            return host;
        }

        // Null on a bare DefaultHttpContext, whatever the annotation says.
        IServiceProvider? services = context.RequestServices;
        return Find(services) ?? CreateUnregistered(services);
    }

    /// <summary>The host of an app, made where it is not registered; null where the app has no server for it to hang on.</summary>
    public static StreamHost? Find(IServiceProvider? services)
    {
        if (services?.GetService<StreamHost>() is { } registered)
        {
            return registered;
        }

        if (services?.GetService<IServer>() is not { } server)
        {
            return null;
        }

        lock (FeatureGate)
        {
            if (server.Features.Get<StreamHost>() is not { } host)
            {
                server.Features.Set(host = CreateUnregistered(services));
            }

            return host;
        }
    }

    // What AddSse has checked when the app starts: settings may have been made without it.
    private static StreamHost CreateUnregistered(IServiceProvider? services)
    {
        var host = Create(services);
        var hostOptions = services?.GetService<IOptions<HostOptions>>() ?? Microsoft.Extensions.Options.Options.Create(new HostOptions());
        var faults = new SseOptionsValidation(hostOptions).Validate(name: null, host.Options);
        return faults.Failed ? throw new OptionsValidationException(nameof(SseOptions), typeof(SseOptions), faults.Failures) : host;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Only where reflection is enabled, which trimming and native AOT turn off.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Only where reflection is enabled, which trimming and native AOT turn off.")]
    public static JsonSerializerOptions JsonOf(SseOptions options, IServiceProvider? services)
    {
        var json = options.JsonSerializerOptions
            ?? (services?.GetService<IOptions<JsonOptions>>()?.Value ?? new JsonOptions()).SerializerOptions;

        // Options that were never used have no resolver yet, and asking them for a contract would fail.
        if (json.TypeInfoResolver is null && JsonSerializer.IsReflectionEnabledByDefault)
        {
            json.MakeReadOnly(populateMissingResolver: true);
        }

        return json;
    }

    /// <summary>On an endpoint that is known beforehand to answer with an event stream: the host that its requests belong to.</summary>
    internal sealed class EndpointHost(IServiceProvider services)
    {
        private StreamHost? _host;

        /// <summary>Looked for with the first request, when all is there. Null where the app has none of its own.</summary>
        public StreamHost? Host => _host ??= Find(services);
    }
}
