namespace SseKit;

/// <summary>
/// Choices for one producer: those of the call that starts it. Of a call that only attaches they hold where the producer has to go on here, with
/// <see cref="Resume"/>.
/// </summary>
public sealed class SseProducerOptions
{
    /// <summary>What it means that the readers have left. Default <see cref="SseDisconnect.Continue"/>.</summary>
    public SseDisconnect OnDisconnect { get; set; }

    /// <summary>
    /// For <see cref="SseDisconnect.Abandon"/>: after what time without a reader, on any node, the work is cancelled; to a quarter of
    /// <see cref="SseOptions.ProducerLease"/>. Default 1 minute; 100 ms to one day.
    /// </summary>
    public TimeSpan AbandonAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long the whole is kept for readers after the end. Default 5 minutes; 1 s to 7 days.</summary>
    public TimeSpan RetainFor { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How many events the source may give. A producer keeps all of them, so that every reader sees the whole; one more, and it fails. Default
    /// 100,000; 1 to 10,000,000.
    /// </summary>
    public int MaxEvents { get; set; } = 100_000;

    /// <summary>How many bytes of encoded events are kept; an event after that, and the producer fails. Default 4 MiB; 1 KiB to 1 GiB.</summary>
    public long MaxBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>
    /// For sources of strings: what arrives within this time after the first piece becomes one event, so that a model's tokens do not cost an
    /// event each. What is longer than 16,384 characters goes out before. Default zero: each an event; up to 10 s.
    /// </summary>
    public TimeSpan CoalesceWindow { get; set; }

    /// <summary>
    /// Goes on with the work of a process that stopped or died: makes the rest from the app's services (in a scope of their own), from the last
    /// event that was stored (with its id; null where there was none) and from the token that ends it. Default null: readers are told that the
    /// rest is lost.
    /// </summary>
    public Func<IServiceProvider, SseEvent?, CancellationToken, IAsyncEnumerable<SseEvent>>? Resume { get; set; }

    /// <summary>
    /// What the readers of a producer that failed are told, as <c>message</c> in the data of its end. Default null: nothing, since an exception
    /// may hold what is not meant for them. It is logged in any case.
    /// </summary>
    public Func<Exception, string?>? OnFailure { get; set; }
}
