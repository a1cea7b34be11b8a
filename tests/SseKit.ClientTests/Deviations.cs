namespace SseKit.ClientTests;

/// <summary>
/// What clients make of a stream that the specification does not have them make of it. Each is asserted, so that the day a client mends its
/// ways, or finds new ones, is a red test; CLIENTS.md tells of each.
/// </summary>
internal sealed record Deviation(string Client, string Source, Func<Outcome, Outcome> Instead)
{
    public static readonly IReadOnlyList<Deviation> All =
    [
        new(Clients.EventSource, "plain", WithoutMemory),
        new(Clients.EventSource, "ids", WithoutMemory),
        new(Clients.EventSource, "nul-id", WithoutMemory),
        new(Clients.EventSource, "unicode-id", NeverBack),
        new(Clients.EventSource, "position", WithoutPosition),

        new(Clients.EventSourceClient, "unicode-id", NeverBack),
        new(Clients.EventSourceClient, "position", WithoutPosition),

        new(Clients.EventSourceParser, "unicode-id", NeverBack),
        new(Clients.EventSourceParser, "position", WithoutPosition),

        new(Clients.Undici, "unicode-id", NeverBack),
        new(Clients.Undici, "long-retry-at-the-end", outcome => outcome with { Heard = [.. outcome.Heard, new("message", "n2", "number 2\nof twelve, 2"), new("done", "", "")], Ended = "done" }),

        new(Clients.SseParser, "unicode-id", NeverBack),
        new(Clients.SseParser, "torn-behind-the-id", Without("n4")),

        .. OfFetchEventSource(Clients.FetchEventSource),
        new(Clients.FetchEventSource, "ids", outcome => EndsAtTheEnd(WithoutMemory(outcome), 3)),
        new(Clients.FetchEventSource, "nul-id", outcome => EndsAtTheEnd(TakesNul(outcome), 2)),
        new(Clients.FetchEventSource, "unicode-id", outcome => EndsAtTheEnd(outcome, 1)),
        new(Clients.FetchEventSource, "retry", outcome => EndsAtTheEnd(outcome, 1)),
        new(Clients.FetchEventSource, "retry-at-the-end", outcome => EndsAtTheEnd(outcome, 1)),
        new(Clients.FetchEventSource, "clean-end", outcome => EndsAtTheEnd(outcome, 3)),
        new(Clients.FetchEventSource, "no-content", outcome => outcome with { Heard = [.. outcome.Heard, new("done", "", "")], Ended = "done" }),

        .. OfFetchEventSource(Clients.MendedFetchEventSource),
        new(Clients.MendedFetchEventSource, "ids", WithoutMemory),
        new(Clients.MendedFetchEventSource, "nul-id", outcome => NeverBack(TakesNul(outcome))),
        new(Clients.MendedFetchEventSource, "unicode-id", NeverBack),
    ];

    /// <summary>Whether the client may also do as it should, because it depends on the moment.</summary>
    public bool Sometimes { get; init; }

    public static IEnumerable<Outcome> Accepted(string client, Source source)
    {
        var deviation = All.SingleOrDefault(deviation => deviation.Client == client && deviation.Source == source.Name);
        if (deviation is null || deviation.Sometimes)
        {
            yield return source.Expected;
        }

        if (deviation is not null)
        {
            yield return deviation.Instead(source.Expected);
        }
    }

    private static Deviation[] OfFetchEventSource(string client) =>
    [
        new(client, "plain", WithoutMemory),
        new(client, "leading-line-end", outcome => outcome with { Heard = [new("message", "", "a"), new("message", "", ""), .. outcome.Heard.Skip(2)] }),
        new(client, "text", outcome => outcome with { Heard = [.. outcome.Heard.Select(heard => heard with { Data = heard.Data.TrimStart('\uFEFF') })] }),
        new(client, "position", outcome => outcome with { Heard = [new("message", "e0", ""), .. outcome.Heard] }),

        // Where it has read the id before it is told of the cut.
        new(client, "torn-behind-the-id", Without("n4")) { Sometimes = true },
    ];

    /// <summary>An event without an id has none, instead of the last one.</summary>
    private static Outcome WithoutMemory(Outcome outcome) => outcome with
    {
        Heard = [.. outcome.Heard.Select(heard => heard.Data is "no id" or "b" ? heard with { Id = "" } : heard)],
    };

    /// <summary>An id with a NUL is taken.</summary>
    private static Outcome TakesNul(Outcome outcome) => outcome with
    {
        Heard = [.. outcome.Heard.Select(heard => heard.Data == "b" ? heard with { Id = "n\u00002" } : heard)],
    };

    /// <summary>The id can't be sent back in a header, so every attempt fails before it is made.</summary>
    private static Outcome NeverBack(Outcome outcome) => new([.. outcome.Heard.SkipLast(1)], ["-"], "failing");

    /// <summary>The id of a block without data is not taken: the client comes back without it.</summary>
    private static Outcome WithoutPosition(Outcome outcome) => outcome with { Ids = ["-"] };

    private static Func<Outcome, Outcome> Without(string id) => outcome => outcome with { Heard = [.. outcome.Heard.Where(heard => heard.Id != id)] };

    /// <summary>The end of the first response is the end.</summary>
    private static Outcome EndsAtTheEnd(Outcome outcome, int heard) => new([.. outcome.Heard.Take(heard)], ["-"], "closed");
}
