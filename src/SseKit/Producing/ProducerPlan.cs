namespace SseKit.Producing;

/// <summary>What to run, and how.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Source">Makes the events; null for a call that only attaches.</param>
/// <param name="Options">The choices.</param>
internal sealed record ProducerPlan(
    string Topic, Func<IServiceProvider, CancellationToken, IAsyncEnumerable<SseEvent>>? Source, SseProducerOptions Options);
