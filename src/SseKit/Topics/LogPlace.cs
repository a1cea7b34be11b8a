namespace SseKit.Topics;

/// <summary>A place in a log, for a cursor to go on from.</summary>
/// <param name="Position">The sequence number of the event before it.</param>
/// <param name="Id">The id of that event, or of the beginning.</param>
/// <param name="Breaks">How often the log had broken off by then.</param>
internal readonly record struct LogPlace(long Position, string Id, int Breaks);
