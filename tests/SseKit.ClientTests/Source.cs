using Microsoft.AspNetCore.Http;

namespace SseKit.ClientTests;

/// <summary>A stream that every client is sent to, and what a client that follows the specification makes of it.</summary>
internal sealed record Source(string Name)
{
    /// <summary>What each request is answered with; null is 204.</summary>
    public required Func<Visit, IEnumerable<Step>?> Answer { get; init; }

    public required Outcome Expected { get; init; }

    /// <summary>SseKit's form is a topic, mapped with these choices.</summary>
    public Action<SseStreamOptions>? Topic { get; init; }

    /// <summary>Done before each request for the topic.</summary>
    public Func<HttpContext, Visit, string, Task>? Prepare { get; init; }

    /// <summary>Only written by hand: SseKit never sends this.</summary>
    public bool ByHandOnly { get; init; }

    /// <summary>The only client that is sent here; null for all.</summary>
    public string? OnlyFor { get; init; }

    /// <summary>The same event may be heard again at once, for the stream begins again until the client has got it.</summary>
    public bool MayRepeat { get; init; }

    /// <summary>What the bytes of the first response are when it is written by hand.</summary>
    public string FirstBytes()
    {
        var visit = new Visit();
        visit.Arrive("-");
        var bytes = "";
        string? cut = null;
        foreach (var step in Answer(visit) ?? [])
        {
            bytes += step switch
            {
                Step.Send send => send.Bytes,
                Step.Fail fail => fail.Bytes,
                Step.Piece piece => piece.Bytes,
                _ => "",
            };
            cut = step is Step.CutAfter after ? after.Text : cut;
            if (cut is not null && bytes.IndexOf(cut, StringComparison.Ordinal) is var at and >= 0)
            {
                return bytes[..(at + cut.Length)];
            }
        }

        return bytes;
    }
}
