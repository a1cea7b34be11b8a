using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using SseKit.Diagnostics;
using SseKit.Waiting;
using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>Publishing, and opening subscriptions: directly on the in-memory logs, or through feeds where the topics live in a store.</summary>
internal sealed class SseTopics : ISseTopics
{
    private readonly ISseBacklog _backlog;
    private readonly InMemoryBacklog? _memory;
    private readonly ISseRelay? _relay;
    private readonly TopicFeeds _feeds;
    private readonly StoreReads? _reads;
    private readonly SseOptions _options;
    private readonly JsonSerializerOptions _json;
    private readonly SseMetrics _metrics;

    // Made once: a subscriber holds on to them for as long as it reads.
    private readonly Func<string, CancellationToken, ValueTask<TopicLease>> _open;
    private readonly Action<TopicLog>? _detach;

    /// <summary>Makes the topics of an app.</summary>
    /// <param name="backlog">Where they live.</param>
    /// <param name="options">Their settings.</param>
    /// <param name="json">How data is serialized.</param>
    /// <param name="time">The app's clock.</param>
    /// <param name="logger">Where failures go.</param>
    /// <param name="metrics">Where events are counted.</param>
    /// <param name="nobodys">See <see cref="SharedWork"/>: null but for a scheduler under which all of it runs.</param>
    public SseTopics(
        ISseBacklog backlog,
        SseOptions options,
        JsonSerializerOptions json,
        TimeProvider time,
        ILogger logger,
        SseMetrics? metrics = null,
        SynchronizationContext? nobodys = null)
    {
        _backlog = backlog;
        _memory = backlog as InMemoryBacklog;
        _relay = backlog as ISseRelay;
        _options = options;
        _json = json;
        _metrics = metrics ?? SseMetrics.Create(factory: null);
        _open = OpenAsync;
        _detach = _memory is null ? null : log => _memory.Detach((MemoryTopic)log, subscribes: true);
        _feeds = new TopicFeeds(backlog, options, time, logger, nobodys);
        _reads = _memory is null ? new StoreReads(backlog, time, nobodys) : null;
    }

    public ValueTask<string> PublishAsync(string topic, SseEvent item, CancellationToken cancellationToken = default)
    {
        Check(topic, item);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<string>(cancellationToken);
        }

        var body = Encode(item);
        if (_memory is not null)
        {
            using var trace = PublishTrace.Start(topic, body.Written.Length);
            try
            {
                var id = _memory.Append(topic, body.Written, item.EventType, item.Key);
                body.Return();
                Published(trace, id);
                return ValueTask.FromResult(id);
            }
            catch (Exception exception)
            {
                PublishTrace.Failed(trace, exception);
                throw;
            }
        }

        var append = new SseAppend { Frame = body.ReturnAsArray(), EventType = item.EventType, Key = item.Key };
        return StoreAsync(topic, append, cancellationToken);
    }

    public ValueTask<IReadOnlyList<string>> PublishAsync(string topic, IReadOnlyList<SseEvent> items, CancellationToken cancellationToken = default)
    {
        TopicName.Check(topic);
        ArgumentNullException.ThrowIfNull(items);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<IReadOnlyList<string>>(cancellationToken);
        }

        var appends = PublishedEvent.EncodeAll(items, _options, _json, nameof(items));
        return appends.Length == 0 ? ValueTask.FromResult<IReadOnlyList<string>>([]) : StoreAsync(topic, appends, cancellationToken);
    }

    public ValueTask PublishEphemeralAsync(string topic, SseEvent item, CancellationToken cancellationToken = default)
    {
        Check(topic, item);
        if (_memory is null && _relay is null)
        {
            throw new NotSupportedException(
                $"{_backlog.GetType().Name} does not pass on events that are not kept. Implement {nameof(ISseRelay)} beside {nameof(ISseBacklog)}, or publish with {nameof(PublishAsync)}.");
        }

        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(cancellationToken);
        }

        var frame = Encode(item);
        if (_memory is not null)
        {
            _memory.Send(topic, frame.Written, item.EventType, item.Key);
            frame.Return();
            _metrics.Published();
            return default;
        }

        return RelayAsync(topic, new SseAppend { Frame = frame.ReturnAsArray(), EventType = item.EventType, Key = item.Key }, cancellationToken);
    }

    public int CountSubscribers(string topic)
    {
        TopicName.Check(topic);
        return _memory?.CountSubscribers(topic) ?? _feeds.CountSubscribers(topic);
    }

    /// <summary>Publishes for a producer. What the event's own encoding throws, it throws at once; the rest comes with the task.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="item">The event.</param>
    /// <param name="fence">The number of the producer's lease.</param>
    /// <param name="outcome">With what it ends the producer, if it is the end.</param>
    /// <param name="length">How many bytes it takes, without its id.</param>
    public ValueTask<string> ProduceAsync(string topic, in SseEvent item, long fence, SseProducerState? outcome, out int length)
    {
        Check(topic, item);

        // No span: nobody's request is behind it, and a model's token is not worth one.
        var body = ScratchFrames.Rent();
        EventFrame.WriteBody(body, in item, _json);
        length = body.Written.Length;
        if (_memory is not null)
        {
            try
            {
                var id = _memory.Append(topic, body.Written, item.EventType, item.Key, fence, outcome);
                _metrics.Published();
                return ValueTask.FromResult(id);
            }
            catch (Exception exception)
            {
                return ValueTask.FromException<string>(exception);
            }
            finally
            {
                body.Return();
            }
        }

        return StoreProducedAsync(topic, new SseAppend
        {
            Frame = body.ReturnAsArray(),
            EventType = item.EventType,
            Key = item.Key,
            Fence = fence,
            Outcome = outcome,
        });
    }

    public async ValueTask<string> GetPositionAsync(string topic, CancellationToken cancellationToken = default)
    {
        TopicName.Check(topic);
        return (await _backlog.ReadAsync(topic, after: null, max: 0, cancellationToken)).Head;
    }

    public IAsyncEnumerable<SseEvent> SubscribeAsync(
        string topic,
        string? lastEventId = null,
        SseStart start = SseStart.Live,
        Func<SseTopicEvent, bool>? filter = null,
        CancellationToken cancellationToken = default)
    {
        TopicName.Check(topic);
        if (start is not (SseStart.Live or SseStart.Earliest))
        {
            throw new ArgumentException($"A subscription starts {SseStart.Live} or {SseStart.Earliest}; snapshots belong to endpoints. It was {start}.", nameof(start));
        }

        var request = new TopicRequest
        {
            Topic = topic,
            LastEventId = string.IsNullOrEmpty(lastEventId) ? null : lastEventId,
            Start = start,
            Selection = filter is null ? null : new Selection(filter, checkpoints: false),
            GapEventType = _options.GapEventType,
            Json = _json,
        };
        return EventsAsync(request, cancellationToken);
    }

    /// <summary>The frames for one subscriber, from the place that it asks for; for who asks, as a stream does.</summary>
    public FrameSource Subscribe(TopicRequest request, CancellationToken cancellationToken) =>
        new TopicSubscription(request, _open, _reads, _metrics, cancellationToken);

    /// <summary>The same for who awaits them.</summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadFramesAsync(TopicRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var grown = new AsyncSignal();
        using var cancelled = grown.SetWhen(cancellationToken);
        await using var subscription = new TopicSubscription(request, _open, _reads, _metrics, cancellationToken);
        while (!cancellationToken.IsCancellationRequested || subscription.IsBusy)
        {
            switch (subscription.MoveNext())
            {
                case SourceStep.Frames:
                    yield return subscription.Current;
                    break;
                case SourceStep.Ended:
                    yield break;
                default:
                    if (subscription.TryWait(grown))
                    {
                        await grown.WaitAsync();
                    }

                    break;
            }
        }
    }

    private async IAsyncEnumerable<SseEvent> EventsAsync(TopicRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var frames = ReadFramesAsync(request, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await frames.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                // Of whatever type: drivers answer a cancelled call with exceptions of their own.
                yield break;
            }

            foreach (var item in FrameReader.Read(frames.Current))
            {
                yield return item;
            }
        }
    }

    private async ValueTask<TopicLease> OpenAsync(string topic, CancellationToken cancellationToken)
    {
        try
        {
            if (_memory is null)
            {
                return await _feeds.OpenAsync(topic, cancellationToken);
            }

            var log = _memory.Attach(topic, subscribes: true);
            return new TopicLease(log, _detach!);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BacklogException(topic, exception);
        }
    }

    private async ValueTask<string> StoreAsync(string topic, SseAppend append, CancellationToken cancellationToken)
    {
        using var trace = PublishTrace.Start(topic, append.Frame.Length);
        try
        {
            var id = (await _backlog.AppendAsync(topic, append, cancellationToken)).Id;
            Published(trace, id);
            return id;
        }
        catch (Exception exception)
        {
            PublishTrace.Failed(trace, exception);
            throw;
        }
    }

    private async ValueTask<string> StoreProducedAsync(string topic, SseAppend append)
    {
        var id = (await _backlog.AppendAsync(topic, append, CancellationToken.None)).Id;
        _metrics.Published();
        return id;
    }

    private async ValueTask<IReadOnlyList<string>> StoreAsync(string topic, SseAppend[] appends, CancellationToken cancellationToken)
    {
        using var trace = PublishTrace.StartBatch(topic, appends.Length);
        try
        {
            var entries = await _backlog.AppendAsync(topic, appends, cancellationToken);
            _metrics.Published(appends.Length);
            var ids = new string[appends.Length];
            for (var i = 0; i < ids.Length; i++)
            {
                ids[i] = entries[i].Id;
            }

            return ids;
        }
        catch (Exception exception)
        {
            PublishTrace.Failed(trace, exception);
            throw;
        }
    }

    private async ValueTask RelayAsync(string topic, SseAppend item, CancellationToken cancellationToken)
    {
        await _relay!.SendAsync(topic, item, cancellationToken);
        _metrics.Published();
    }

    private static void Check(string topic, in SseEvent item)
    {
        TopicName.Check(topic);
        if (PublishedEvent.Fault(item) is { } fault)
        {
            throw new ArgumentException(fault, nameof(item));
        }
    }

    private ScratchFrames Encode(in SseEvent item)
    {
        var body = ScratchFrames.Rent();
        EventFrame.WriteBody(body, item, _json);
        return PublishedEvent.SizeFault(body.Written.Length, _options) is { } fault ? throw new ArgumentException(fault, nameof(item)) : body;
    }

    private void Published(Activity? trace, string id)
    {
        PublishTrace.Done(trace, id);
        _metrics.Published();
    }
}
