namespace SseKit;

/// <summary>What it means for a producer that its readers have left.</summary>
public enum SseDisconnect
{
    /// <summary>Nothing: the work goes on (the default).</summary>
    Continue,

    /// <summary>
    /// The work is cancelled once nobody has listened for <see cref="SseProducerOptions.AbandonAfter"/>; it ends as
    /// <see cref="SseProducerState.Abandoned"/>.
    /// </summary>
    Abandon,

    /// <summary>
    /// The work is cancelled when its last reader leaves, as without a producer; it ends as <see cref="SseProducerState.Cancelled"/>. Where
    /// nobody ever came, it is <see cref="Abandon"/>. A reader that leaves another node is noticed within a quarter of
    /// <see cref="SseOptions.ProducerLease"/>.
    /// </summary>
    Cancel,
}
