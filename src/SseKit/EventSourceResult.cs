using System.Net.ServerSentEvents;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using SseKit.Producing;
using SseKit.Streaming;
using SseKit.Topics;

namespace SseKit;

/// <summary>
/// Answers a request with an event stream (<c>text/event-stream</c>). Return it from a minimal API handler or from an MVC action; no
/// registration is needed but for topics. The headers leave as soon as the source waits, a comment keeps idle connections alive, and the
/// source ends when the client leaves or the app stops.
/// </summary>
/// <remarks>
/// A source that throws before its first event and its first wait gets a real HTTP error, unless the client resumes: then the stream ends
/// with status 200, because any other would keep an EventSource from ever coming back. A source that throws later is logged and its stream
/// ends, which makes EventSource reconnect. Server-Sent Events know no other end than that: send an event of your own to say "that was all".
/// </remarks>
public class EventSourceResult : IResult, IActionResult, IEndpointMetadataProvider, IStatusCodeHttpResult, IContentTypeHttpResult
{
    private readonly Func<HttpContext, StreamHost, CancellationToken, FrameSource> _open;
    private readonly Func<HttpContext, StreamHost, ValueTask<bool>>? _isOver;
    private readonly SseStreamOptions? _options;

    /// <summary>Streams the events of a sequence.</summary>
    /// <param name="items">The events. Its token (<c>[EnumeratorCancellation]</c>) is cancelled when the client leaves and when the app stops.</param>
    /// <param name="configure">Choices for this result.</param>
    /// <exception cref="ArgumentException">A choice is out of range.</exception>
    public EventSourceResult(IAsyncEnumerable<SseEvent> items, Action<SseStreamOptions>? configure = null)
        : this(Open(items), StreamChoices.Of(configure))
    {
    }

    /// <summary>Streams the events of a source that resumes by itself.</summary>
    /// <param name="resume">
    /// Makes the sequence from the client's <c>Last-Event-ID</c>, which is null for a new client and else anything that somebody may have sent,
    /// and from the token that ends it.
    /// </param>
    /// <param name="configure">Choices for this result.</param>
    /// <exception cref="ArgumentException">A choice is out of range.</exception>
    public EventSourceResult(Func<string?, CancellationToken, IAsyncEnumerable<SseEvent>> resume, Action<SseStreamOptions>? configure = null)
        : this(Open(resume), StreamChoices.Of(configure))
    {
    }

    private protected EventSourceResult(
        Func<HttpContext, StreamHost, CancellationToken, FrameSource> open, SseStreamOptions? options, Func<HttpContext, StreamHost, ValueTask<bool>>? isOver = null)
    {
        _open = open;
        _options = options;
        _isOver = isOver;
    }

    /// <summary>The media type, <c>text/event-stream</c>.</summary>
    public string ContentType => ResponsePreamble.ContentType;

    int? IStatusCodeHttpResult.StatusCode => StatusCodes.Status200OK;

    /// <summary>Streams values as JSON; strings and byte arrays as they are.</summary>
    /// <typeparam name="T">The type of the values.</typeparam>
    /// <param name="items">The values.</param>
    /// <param name="eventType">The type of all events.</param>
    /// <param name="jsonTypeInfo">The contract to write the values with; null to use the app's options.</param>
    /// <param name="configure">Choices for this result.</param>
    /// <returns>The result.</returns>
    /// <exception cref="ArgumentException">The event type or a choice is not acceptable.</exception>
    public static EventSourceResult<T> From<T>(
        IAsyncEnumerable<T> items, string? eventType = null, JsonTypeInfo<T>? jsonTypeInfo = null, Action<SseStreamOptions>? configure = null) =>
        new(items, eventType, jsonTypeInfo, configure);

    /// <summary>Streams events of the framework's own type.</summary>
    /// <typeparam name="T">The type of their data.</typeparam>
    /// <param name="items">The events.</param>
    /// <param name="jsonTypeInfo">The contract to write their data with; null to use the app's options.</param>
    /// <param name="configure">Choices for this result.</param>
    /// <returns>The result.</returns>
    /// <exception cref="ArgumentException">A choice is out of range.</exception>
    [OverloadResolutionPriority(1)]
    public static EventSourceResult<T> From<T>(
        IAsyncEnumerable<SseItem<T>> items, JsonTypeInfo<T>? jsonTypeInfo = null, Action<SseStreamOptions>? configure = null) =>
        new(items, jsonTypeInfo, configure);

    /// <summary>Streams events; the same as the constructor.</summary>
    /// <param name="items">The events.</param>
    /// <param name="configure">Choices for this result.</param>
    /// <returns>The result.</returns>
    /// <exception cref="ArgumentException">A choice is out of range.</exception>
    [OverloadResolutionPriority(1)]
    public static EventSourceResult From(IAsyncEnumerable<SseEvent> items, Action<SseStreamOptions>? configure = null) => new(items, configure);

    /// <summary>Subscribes the client to a topic, from its <c>Last-Event-ID</c> on. Needs <c>AddSse()</c>.</summary>
    /// <param name="topic">The topic: 1–256 bytes of UTF-8 without control characters.</param>
    /// <param name="configure">Choices for this result.</param>
    /// <returns>The result.</returns>
    /// <exception cref="ArgumentException">The topic's name or a choice is not acceptable.</exception>
    public static EventSourceResult FromTopic(string topic, Action<SseStreamOptions>? configure = null) =>
        FromTopic(TopicName.Check(topic), StreamChoices.Of(configure));

    /// <summary>
    /// Streams the events of a producer, which is started if there is none: work that goes on when the client leaves, for readers that come back
    /// and see the whole. Needs <c>AddSse()</c>.
    /// </summary>
    /// <param name="topic">The topic: 1–256 bytes of UTF-8 without control characters, the producer's alone.</param>
    /// <param name="source">Makes the events; see <see cref="ISseProducers.StartAsync"/>. The services are not the request's, which is gone by then.</param>
    /// <param name="configure">Choices.</param>
    /// <returns>The result. A client that comes back after it was told the end gets status 204; one with an id never starts the source.</returns>
    /// <exception cref="ArgumentException">The topic's name or a choice is not acceptable.</exception>
    [OverloadResolutionPriority(1)]
    public static EventSourceResult FromProducer(
        string topic, Func<IServiceProvider, CancellationToken, IAsyncEnumerable<SseEvent>> source, Action<SseProducerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return FromProducer(new ProducerPlan(TopicName.Check(topic), source, ProducerChoices.Of(configure)));
    }

    /// <summary>The same with values as JSON; strings and byte arrays as they are.</summary>
    /// <typeparam name="T">The type of the values.</typeparam>
    /// <param name="topic">The topic.</param>
    /// <param name="source">Makes the values.</param>
    /// <param name="eventType">The type of all events; null means <c>message</c>.</param>
    /// <param name="jsonTypeInfo">The contract to write the values with; null to use the app's options.</param>
    /// <param name="configure">Choices.</param>
    /// <returns>The result.</returns>
    /// <exception cref="ArgumentException">The topic's name, the event type or a choice is not acceptable.</exception>
    public static EventSourceResult<T> FromProducer<T>(
        string topic,
        Func<IServiceProvider, CancellationToken, IAsyncEnumerable<T>> source,
        string? eventType = null,
        JsonTypeInfo<T>? jsonTypeInfo = null,
        Action<SseProducerOptions>? configure = null)
    {
        TopicName.Check(topic);
        var options = ProducerChoices.Of(configure);
        return new(new ProducerPlan(topic, ProducedValues.Of(source, eventType, jsonTypeInfo, options.CoalesceWindow), options));
    }

    /// <summary>Streams the events of a producer that somebody else starts, and starts none: a POST starts, a GET attaches. Needs <c>AddSse()</c>.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="configure">Choices for a producer that has to go on here, <see cref="SseProducerOptions.Resume"/> above all.</param>
    /// <returns>The result. Where there is no such producer, a client without an id gets status 204.</returns>
    /// <exception cref="ArgumentException">The topic's name or a choice is not acceptable.</exception>
    public static EventSourceResult FromProducer(string topic, Action<SseProducerOptions>? configure = null) =>
        FromProducer(new ProducerPlan(TopicName.Check(topic), Source: null, ProducerChoices.Of(configure)));

    /// <summary>Sends the stream; completes when the client has left, the source has ended, or the app stops.</summary>
    /// <param name="httpContext">The request.</param>
    /// <returns>The response under way.</returns>
    public Task ExecuteAsync(HttpContext httpContext)
    {
        ArgumentNullException.ThrowIfNull(httpContext);
        var host = StreamHost.Of(httpContext);
        return _isOver is null ? StreamAsync(httpContext, host) : StreamUnlessOverAsync(httpContext, host);
    }

    /// <summary>The same, called by MVC.</summary>
    /// <param name="context">The action.</param>
    /// <returns>The response under way.</returns>
    public Task ExecuteResultAsync(ActionContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return ExecuteAsync(context.HttpContext);
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        StreamMetadata.Add(builder, payload: null);
    }

    private static EventSourceResult FromProducer(ProducerPlan plan) =>
        new(ProducerDoor.Opening(plan), options: null, ProducerDoor.IsOver(plan));

    internal static EventSourceResult FromTopic(string topic, SseStreamOptions? options) =>
        new((context, host, stop) => TopicDoor.Open(context, host, topic, options, stop), options);

    private Task StreamAsync(HttpContext context, StreamHost host) =>
        EventStream.RunAsync(context, host, StreamSettings.Of(context, host.Settings, _options), (host, stop) => _open(context, host, stop));

    private async Task StreamUnlessOverAsync(HttpContext context, StreamHost host)
    {
        if (await _isOver!(context, host))
        {
            ResponsePreamble.ApplyOver(context);
        }
        else
        {
            await StreamAsync(context, host);
        }
    }

    private static Func<HttpContext, StreamHost, CancellationToken, FrameSource> Open(IAsyncEnumerable<SseEvent> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        return (_, host, stop) => new EventItems(items, host.Json, stop);
    }

    private static Func<HttpContext, StreamHost, CancellationToken, FrameSource> Open(Func<string?, CancellationToken, IAsyncEnumerable<SseEvent>> resume)
    {
        ArgumentNullException.ThrowIfNull(resume);
        return (context, host, stop) => new EventItems(
            resume(context.Request.GetLastEventId(), stop) ?? throw new InvalidOperationException("The source of an event stream is null. Return a sequence; an empty one ends the stream."),
            host.Json,
            stop);
    }
}
