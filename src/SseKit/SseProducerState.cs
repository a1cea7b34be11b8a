namespace SseKit;

/// <summary>How far a producer is.</summary>
public enum SseProducerState
{
    /// <summary>There is none: it never was, or it ended more than <see cref="SseProducerOptions.RetainFor"/> ago.</summary>
    None,

    /// <summary>It runs, on this node or on another.</summary>
    Running,

    /// <summary>
    /// The process that ran it stopped or died. Whoever reads or starts it next goes on with it, where <see cref="SseProducerOptions.Resume"/>
    /// says how, or else ends it as <see cref="Lost"/>.
    /// </summary>
    Interrupted,

    /// <summary>Its source came to its end.</summary>
    Done,

    /// <summary>Its source threw, or gave more than <see cref="SseProducerOptions.MaxEvents"/> or <see cref="SseProducerOptions.MaxBytes"/>.</summary>
    Failed,

    /// <summary>It was stopped, by <see cref="ISseProducers.StopAsync"/> or under <see cref="SseDisconnect.Cancel"/>.</summary>
    Cancelled,

    /// <summary>Nobody listened any more; see <see cref="SseDisconnect.Abandon"/>.</summary>
    Abandoned,

    /// <summary>The process that ran it stopped or died, and nothing told how to go on.</summary>
    Lost,
}
