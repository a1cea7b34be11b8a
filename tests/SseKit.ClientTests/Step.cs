namespace SseKit.ClientTests;

/// <summary>What a stream does next, whoever writes it.</summary>
internal abstract record Step
{
    /// <summary>An event: what SseKit is given, and the bytes that a hand-written loop sends for the same.</summary>
    public sealed record Send(SseEvent Item, string Bytes) : Step;

    /// <summary>Bytes of a hand-written stream, followed by a silence.</summary>
    public sealed record Piece(string Bytes) : Step;

    /// <summary>Says nothing until so many keep-alives have gone out.</summary>
    public sealed record KeepAlives(int Count) : Step;

    /// <summary>Says nothing until the client knows that it is connected.</summary>
    public sealed record Opened : Step;

    /// <summary>The connection breaks right after this has been sent, which is yet to come.</summary>
    public sealed record CutAfter(string Text) : Step;

    /// <summary>The app aborts the request once this has been sent, with a RST.</summary>
    public sealed record AbortAfter(string Text) : Step;

    /// <summary>SseKit: the source fails. By hand: what SseKit sends then.</summary>
    public sealed record Fail(string Bytes) : Step;
}
