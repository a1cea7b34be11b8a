using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SseKit.Topics;
using SseKit.Wire;

namespace SseKit.Producing;

/// <summary>The producers of this node and those who read one here, kept by one timer: their leases are renewed, and the leases of others watched.</summary>
internal sealed partial class SseProducers : ISseProducers, IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Producer> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Attendance> _attended = new(StringComparer.Ordinal);
    private readonly HashSet<Producer> _present = [];
    private readonly ISseLeases? _leases;
    private readonly JsonSerializerOptions _json;
    private readonly CancellationToken _stopping;
    private ITimer? _pulse;
    private long _attempts;

    public SseProducers(
        ISseBacklog backlog,
        SseTopics topics,
        IServiceScopeFactory scopes,
        SseOptions options,
        JsonSerializerOptions json,
        TimeProvider time,
        ILogger logger,
        CancellationToken stopping)
    {
        _leases = backlog as ISseLeases;
        _json = json;
        _stopping = stopping;
        Backlog = backlog;
        Topics = topics;
        Scopes = scopes;
        Options = options;
        Time = time;
        Logger = logger;
    }

    public IReadOnlyCollection<string> Running
    {
        get
        {
            lock (_gate)
            {
                return [.. _running.Keys];
            }
        }
    }

    public ISseBacklog Backlog { get; }

    public SseTopics Topics { get; }

    public IServiceScopeFactory Scopes { get; }

    public SseOptions Options { get; }

    public TimeProvider Time { get; }

    public ILogger Logger { get; }

    /// <summary>This process, among all that share the store.</summary>
    public string Node { get; } = Guid.NewGuid().ToString("N");

    public ISseLeases Leases => _leases ?? throw new InvalidOperationException(
        $"Producers need a store that keeps leases, and {Backlog.GetType().Name} does not implement {nameof(ISseLeases)}. "
        + "Implement it, or use the in-memory backlog or AddStackExchangeRedis.");

    /// <summary>
    /// For how long a lease holds: a pulse less than <see cref="SseOptions.ProducerLease"/>, since it takes up to a pulse until somebody looks.
    /// </summary>
    public TimeSpan Term => Options.ProducerLease * 0.75;

    public bool IsStopping => _stopping.IsCancellationRequested;

    public ValueTask<bool> StartAsync(
        string topic,
        Func<IServiceProvider, CancellationToken, IAsyncEnumerable<SseEvent>> source,
        Action<SseProducerOptions>? configure = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        return StartAsync(new ProducerPlan(TopicName.Check(topic), source, ProducerChoices.Of(configure)), cancellationToken);
    }

    public ValueTask<bool> StartAsync<T>(
        string topic,
        Func<IServiceProvider, CancellationToken, IAsyncEnumerable<T>> source,
        string? eventType = null,
        JsonTypeInfo<T>? jsonTypeInfo = null,
        Action<SseProducerOptions>? configure = null,
        CancellationToken cancellationToken = default)
    {
        TopicName.Check(topic);
        var options = ProducerChoices.Of(configure);
        return StartAsync(new ProducerPlan(topic, ProducedValues.Of(source, eventType, jsonTypeInfo, options.CoalesceWindow), options), cancellationToken);
    }

    public async ValueTask<bool> StartAsync(ProducerPlan plan, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (IsStopping)
        {
            throw new InvalidOperationException($"The producer of topic '{plan.Topic}' can't be started: the app stops.");
        }

        // Whoever asked may leave meanwhile. A lease that was granted with nobody to take it up would be a producer that never ran.
        var start = AcquireAndRunAsync(plan);
        return start.IsCompleted ? await start : await start.WaitAsync(cancellationToken);
    }

    public IAsyncEnumerable<SseEvent> AttachAsync(
        string topic, string? lastEventId = null, Action<SseProducerOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        var plan = new ProducerPlan(TopicName.Check(topic), Source: null, ProducerChoices.Of(configure));
        _ = Leases;
        var request = new TopicRequest
        {
            Topic = topic,
            LastEventId = string.IsNullOrEmpty(lastEventId) ? null : lastEventId,
            Start = SseStart.Earliest,
            GapEventType = Options.GapEventType,
            Json = _json,
        };
        return EventsAsync(plan, request, cancellationToken);
    }

    public async ValueTask<bool> StopAsync(string topic, CancellationToken cancellationToken = default)
    {
        TopicName.Check(topic);
        var lease = await Leases.StopAsync(topic, cancellationToken);
        if (lease.State is not (SseProducerState.Running or SseProducerState.Interrupted))
        {
            return false;
        }

        Producer? running;
        lock (_gate)
        {
            running = _running.GetValueOrDefault(topic);
        }

        if (running is not null)
        {
            running.End(Verdict.Cancelled);
            await running.Ended.WaitAsync(cancellationToken);
        }
        else if (lease.State == SseProducerState.Interrupted)
        {
            await TakeOverAsync(topic, options: null);
        }

        return true;
    }

    public async ValueTask<SseProducerState> GetStateAsync(string topic, CancellationToken cancellationToken = default)
    {
        TopicName.Check(topic);
        return (await Leases.FindAsync(topic, cancellationToken)).State;
    }

    /// <summary>Whether a client has nothing to come for: it has been told the end, or attaches to what is not there.</summary>
    public async ValueTask<bool> IsOverForAsync(string topic, string? lastEventId, CancellationToken cancellationToken)
    {
        if (lastEventId == EndEvent.LostId)
        {
            return true;
        }

        var lease = await Leases.FindAsync(topic, cancellationToken);
        return lastEventId is null ? lease.State == SseProducerState.None : lease.EndId == lastEventId;
    }

    private async IAsyncEnumerable<SseEvent> EventsAsync(
        ProducerPlan plan, TopicRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var frames in ReadAsync(plan, request, cancellationToken))
        {
            foreach (var item in FrameReader.Read(frames))
            {
                yield return item;
            }
        }
    }
}
