namespace SseKit.Topics;

/// <summary>What a log knows of an id.</summary>
internal enum TopicLookup
{
    /// <summary>Everything after it is here.</summary>
    Found,

    /// <summary>It was here once; what followed it has been trimmed.</summary>
    Trimmed,

    /// <summary>It never was here, or nothing tells that it was.</summary>
    Unknown,
}
