namespace SseKit.Producing;

/// <summary>Why a producer ends.</summary>
internal enum Verdict
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>Its source came to its end.</summary>
    Done,

    /// <summary>Its source threw.</summary>
    Failed,

    /// <summary>It was stopped.</summary>
    Cancelled,

    /// <summary>Nobody listens.</summary>
    Abandoned,

    /// <summary>The host stops: somebody else may go on with it.</summary>
    Interrupted,

    /// <summary>Its topic is another's by now.</summary>
    Fenced,
}
