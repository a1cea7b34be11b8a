namespace SseKit.ClientTests;

/// <summary>An event as a client reports it; the id is the last one it knows by then, as EventSource has it.</summary>
internal sealed record Heard(string Type, string Id, string Data);

/// <summary>What became of one stream through one client: what it heard, the Last-Event-ID of its requests, and how it ended.</summary>
/// <param name="Heard">The events.</param>
/// <param name="Ids">One for each request, "-" for none; null where that depends on the moment.</param>
/// <param name="Ended">"done" after the event of that type; "closed" where the client gave up by itself.</param>
internal sealed record Outcome(IReadOnlyList<Heard> Heard, IReadOnlyList<string>? Ids, string Ended = "done")
{
    /// <summary>
    /// Requests that come with the same id as the one before count once, where a client may have lost what it was sent in between; so do events
    /// where the stream may begin again.
    /// </summary>
    public Outcome WithoutRepetitions(bool heardToo) => this with
    {
        Ids = Ids is null ? null : Once(Ids),
        Heard = heardToo ? Once(Heard) : Heard,
    };

    public override string ToString() =>
        string.Concat(Heard.Select(heard => $"{heard.Type} #{heard.Id}: {Printable(heard.Data)}\n"))
        + (Ids is null ? "" : $"Last-Event-ID: {string.Join(", ", Ids.Select(Printable))}\n")
        + $"ended: {Ended}";

    private static List<T> Once<T>(IEnumerable<T> items)
        where T : class
    {
        var once = new List<T>();
        foreach (var item in items)
        {
            if (once.Count == 0 || !item.Equals(once[^1]))
            {
                once.Add(item);
            }
        }

        return once;
    }

    private static string Printable(string text) =>
        string.Concat(text.Select(c => c is '\\' or < ' ' or '\u2028' or '\uFEFF' ? $"\\u{(int)c:X4}" : c.ToString()));
}
