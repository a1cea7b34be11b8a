namespace SseKit.ClientTests;

/// <summary>What a client reports about one stream; the form and the stream are <c>own/plain</c> and the like.</summary>
internal sealed record Seen(string Client, string Source, IReadOnlyList<Heard> Heard, string Ended, IReadOnlyList<string> Failures);
