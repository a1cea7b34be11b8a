namespace SseKit.Producing;

/// <summary>What is asked of a producer's state in many places.</summary>
internal static class ProducerStates
{
    public static bool IsEnd(this SseProducerState state) => state >= SseProducerState.Done;

    /// <summary>As clients are told it.</summary>
    public static string Word(this SseProducerState state) => state switch
    {
        SseProducerState.Done => "done",
        SseProducerState.Failed => "failed",
        SseProducerState.Cancelled => "cancelled",
        SseProducerState.Abandoned => "abandoned",
        _ => "lost",
    };
}
