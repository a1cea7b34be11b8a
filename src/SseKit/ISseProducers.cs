using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;

namespace SseKit;

/// <summary>
/// Answers that outlive the connection: work that belongs to the host, not to a request, and gives its events to a topic of its own. Each reader
/// sees the whole from the beginning, or goes on after its <c>Last-Event-ID</c>. Registered by <c>AddSse()</c>; safe for use from many threads.
/// </summary>
/// <remarks>
/// <para>A source runs once, however many start it at the same time, on whatever nodes; it has a DI scope of its own and runs on the thread
/// pool, without the request's <c>ExecutionContext</c>. Nobody else can publish to its topic.</para>
/// <para>The end is an event of type <see cref="SseOptions.EndEventType"/> with the data <c>{"state":"done|failed|cancelled|abandoned|lost"}</c>.
/// Reading ends after it. The whole is kept for <see cref="SseProducerOptions.RetainFor"/>; then the topic is gone.</para>
/// </remarks>
public interface ISseProducers
{
    /// <summary>The topics of the producers that run on this node.</summary>
    IReadOnlyCollection<string> Running { get; }

    /// <summary>Starts a producer where there is none.</summary>
    /// <param name="topic">The topic: 1–256 bytes of UTF-8 without control characters, its own alone.</param>
    /// <param name="source">
    /// Makes the events, from services of a scope of its own and from the token that ends it: when it is stopped, when its readers have left
    /// (where that is chosen), when the host stops. Events carry no <see cref="SseEvent.EventId"/>; comments are left out.
    /// </param>
    /// <param name="configure">Choices.</param>
    /// <param name="cancellationToken">Ends the wait for the answer. It does not end the producer.</param>
    /// <returns>
    /// Whether this call started it. False: somebody else did, here or on another node, now or less than
    /// <see cref="SseProducerOptions.RetainFor"/> after its end.
    /// </returns>
    /// <exception cref="ArgumentException">The topic's name or a choice is not acceptable.</exception>
    /// <exception cref="InvalidOperationException">
    /// The store has no <see cref="ISseLeases"/>, the topic holds events that were published to it, or the app stops.
    /// </exception>
    [OverloadResolutionPriority(1)]
    ValueTask<bool> StartAsync(
        string topic,
        Func<IServiceProvider, CancellationToken, IAsyncEnumerable<SseEvent>> source,
        Action<SseProducerOptions>? configure = null,
        CancellationToken cancellationToken = default);

    /// <summary>The same with values as JSON; strings and byte arrays as they are.</summary>
    /// <typeparam name="T">The type of the values.</typeparam>
    /// <param name="topic">The topic.</param>
    /// <param name="source">Makes the values.</param>
    /// <param name="eventType">The type of all events; null means <c>message</c>.</param>
    /// <param name="jsonTypeInfo">The contract to write the values with; null to use the app's options.</param>
    /// <param name="configure">Choices.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>Whether this call started it.</returns>
    /// <exception cref="ArgumentException">The topic's name, the event type or a choice is not acceptable.</exception>
    /// <exception cref="InvalidOperationException">As above.</exception>
    ValueTask<bool> StartAsync<T>(
        string topic,
        Func<IServiceProvider, CancellationToken, IAsyncEnumerable<T>> source,
        string? eventType = null,
        JsonTypeInfo<T>? jsonTypeInfo = null,
        Action<SseProducerOptions>? configure = null,
        CancellationToken cancellationToken = default);

    /// <summary>Reads a producer's events inside the app, as a reader that counts.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="lastEventId">The id after which to go on; null for the whole.</param>
    /// <param name="configure">Choices for a producer that has to go on here, <see cref="SseProducerOptions.Resume"/> above all.</param>
    /// <param name="cancellationToken">Ends the reading, without an exception.</param>
    /// <returns>The events, the last of them the end. Where there is no such producer (any more), that is all: an end with the state <c>lost</c>.</returns>
    /// <exception cref="ArgumentException">The topic's name or a choice is not acceptable.</exception>
    /// <exception cref="InvalidOperationException">The store has no <see cref="ISseLeases"/>.</exception>
    IAsyncEnumerable<SseEvent> AttachAsync(
        string topic, string? lastEventId = null, Action<SseProducerOptions>? configure = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Stops a producer, on whatever node it runs: it publishes nothing more but its end, at once on this node and within a quarter of
    /// <see cref="SseOptions.ProducerLease"/> on another.
    /// </summary>
    /// <param name="topic">The topic.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>Whether there was one to stop.</returns>
    /// <exception cref="ArgumentException">The topic's name is not acceptable.</exception>
    /// <exception cref="InvalidOperationException">The store has no <see cref="ISseLeases"/>.</exception>
    ValueTask<bool> StopAsync(string topic, CancellationToken cancellationToken = default);

    /// <summary>How far a producer is, wherever it runs.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="cancellationToken">Ends the wait for the answer.</param>
    /// <returns>The state.</returns>
    /// <exception cref="ArgumentException">The topic's name is not acceptable.</exception>
    /// <exception cref="InvalidOperationException">The store has no <see cref="ISseLeases"/>.</exception>
    ValueTask<SseProducerState> GetStateAsync(string topic, CancellationToken cancellationToken = default);
}
