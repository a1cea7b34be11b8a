using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.ClientTests;

/// <summary>The streams. Whatever a name in the tests stands for is written out here, as bytes and as a client hears it.</summary>
internal static class Sources
{
    private const string Unicode = "é✓😀";
    private const int Mebibyte = 1024 * 1024;

    // Each is something that a client may trip over.
    private static readonly (string Data, string Bytes)[] Texts =
    [
        ("", "data: \n\n"),
        (" leading and trailing ", "data:  leading and trailing \n\n"),
        ("colon: and data: x", "data: colon: and data: x\n\n"),
        ("✓ é 😀 \u2028 \u2029 \u0085", "data: ✓ é 😀 \u2028 \u2029 \u0085\n\n"),
        ("\uFEFFmark", "data: \uFEFFmark\n\n"),
        ("\ttab\u0000nul", "data: \ttab\u0000nul\n\n"),
    ];

    private static readonly (string Data, string Bytes, string Heard)[] LineEnds =
    [
        ("a\nb", "data: a\ndata: b\n\n", "a\nb"),
        ("a\rb", "data: a\ndata: b\n\n", "a\nb"),
        ("a\r\nb", "data: a\ndata: b\n\n", "a\nb"),
        ("a\n\rb", "data: a\ndata: \ndata: b\n\n", "a\n\nb"),
        ("a\n", "data: a\ndata: \n\n", "a\n"),
        ("a\r\n\r\n: b\ndata: c", "data: a\ndata: \ndata: : b\ndata: data: c\n\n", "a\n\n: b\ndata: c"),
    ];

    private static readonly string BigLine = new('x', Mebibyte);
    private static readonly string BigLines = string.Join('\n', Enumerable.Repeat(new string('y', 63), Mebibyte / 64));

    public static readonly IReadOnlyList<Source> All =
    [
        new("plain")
        {
            Answer = _ => [new Step.Send(new SseEvent("hello", "named") { EventId = "n1" }, "event: named\ndata: hello\nid: n1\n\n"), Event(2), Text("no id"), Done],
            Expected = new([new("named", "n1", "hello"), Number(2), new("message", "n2", "no id"), End], ["-"]),
        },
        new("lines")
        {
            Answer = _ => [.. LineEnds.Select(text => new Step.Send(text.Data, text.Bytes)), Done],
            Expected = new([.. LineEnds.Select(text => new Heard("message", "", text.Heard)), End], ["-"]),
        },
        new("leading-line-end")
        {
            Answer = _ => [new Step.Send("\na", "data: \ndata: a\n\n"), new Step.Send("\n\r", "data: \ndata: \ndata: \n\n"), Done],
            Expected = new([new("message", "", "\na"), new("message", "", "\n\n"), End], ["-"]),
        },
        new("text")
        {
            Answer = _ => [.. Texts.Select(text => new Step.Send(text.Data, text.Bytes)), Done],
            Expected = new([.. Texts.Select(text => new Heard("message", "", text.Data)), End], ["-"]),
        },
        new("ids")
        {
            // An empty id takes the last one away.
            Answer = visit => visit.Requests > 1 ? [Done] :
                [Retry(10), Event(1), Text("no id"), new Step.Send(new SseEvent("cleared") { EventId = "" }, "data: cleared\nid: \n\n")],
            Expected = new([Number(1), new("message", "n1", "no id"), new("message", "", "cleared"), End], ["-"]),
        },
        new("unicode-id")
        {
            Answer = visit => visit.Requests > 1 ? [Done] :
                [Retry(10), new Step.Send(new SseEvent("a") { EventId = Unicode }, $"data: a\nid: {Unicode}\n\n")],
            Expected = new([new("message", Unicode, "a"), End], ["-", Unicode]),
        },
        new("nul-id")
        {
            ByHandOnly = true,
            Answer = visit => visit.Requests > 1 ? [Done] :
                [Retry(10), Event(1), new Step.Send(default, "data: b\nid: n\u00002\n\n")],
            Expected = new([Number(1), new("message", "n1", "b"), End], ["-", "n1"]),
        },
        new("comments")
        {
            Answer = _ => [Comment("one\ntwo", ": one\n: two\n"), Event(1), Comment("", ":\n"), Comment("data: no", ": data: no\n"), Event(2), Comment("id: n9", ": id: n9\n"), Done],
            Expected = new([Number(1), Number(2), End], ["-"]),
        },
        new("quiet")
        {
            Answer = _ => [new Step.KeepAlives(2), Event(1), new Step.KeepAlives(3), Event(2), new Step.KeepAlives(2), Done],
            Expected = new([Number(1), Number(2), End], ["-"]),
        },
        new("early")
        {
            Answer = _ => [new Step.Opened(), Event(1), Done],
            Expected = new([Number(1), End], ["-"]),
        },
        new("retry")
        {
            Answer = visit => visit.Requests > 1 ? [Retry(10), Event(2), Done] : [Retry(4000), Event(1)],
            Expected = new([Number(1), Number(2), End], ["-", "n1"]),
        },
        new("retry-at-the-end")
        {
            Answer = visit => visit.Requests switch
            {
                1 => [Retry(10), Event(1)],
                2 => [new Step.Fail("retry: 500\n")],
                _ => [Event(2), Done],
            },
            Expected = new([Number(1), Number(2), End], ["-", "n1"]),
        },
        new("long-retry-at-the-end")
        {
            // Longer than anybody waits here: who comes back all the same has not taken it.
            ByHandOnly = true,
            OnlyFor = Clients.Undici,
            Answer = visit => visit.Requests switch
            {
                1 => [Retry(10), Event(1)],
                2 => [new Step.Fail("retry: 3600000\n")],
                _ => [Event(2), Done],
            },
            Expected = new([Number(1)], ["-", "n1"], "still there"),
        },
        new("torn")
        {
            // In the data of 4, after the data of 7, and in the id of 9.
            Answer = visit => [Retry(10), .. Cut(visit, "data: number 4", "data: of twelve, 7\n", "id: n9"), .. Numbers(visit.Next, 12), Done],
            Expected = new([.. Enumerable.Range(1, 12).Select(Number), End], null),
        },
        new("torn-behind-the-id")
        {
            // Between the line of the id and the blank one.
            Answer = visit => [Retry(10), .. Cut(visit, "id: n4\n"), .. Numbers(visit.Next, 6), Done],
            Expected = new([.. Enumerable.Range(1, 6).Select(Number), End], null),
        },
        new("aborted")
        {
            Answer = visit => [Retry(10), .. Numbers(visit.Next, 4 * visit.Requests), visit.Requests == 3 ? Done : new Step.AbortAfter($"id: n{4 * visit.Requests}\n\n")],
            Expected = new([.. Enumerable.Range(1, 12).Select(Number), End], null),
        },
        new("clean-end")
        {
            Answer = visit => [Retry(10), .. Numbers(visit.Next, 3 * visit.Requests), .. visit.Requests == 3 ? [Done] : Array.Empty<Step>()],
            Expected = new([.. Enumerable.Range(1, 9).Select(Number), End], ["-", "n3", "n6"]),
        },
        new("no-content")
        {
            Answer = visit => visit.LastEventIds.Count(id => id == "n1") switch
            {
                0 => [Retry(10), new Step.CutAfter("id: n1\n\n"), Event(1)],
                1 or 2 => null,
                _ => [Done],
            },
            Expected = new([Number(1)], ["-", "n1"], "closed"),
        },
        new("big-line")
        {
            Answer = _ => [new Step.Send(new SseEvent(BigLine) { EventId = "n1" }, $"data: {BigLine}\nid: n1\n\n"), Event(2), Done],
            Expected = new([new("message", "n1", Short(BigLine)), Number(2), End], ["-"]),
        },
        new("big-lines")
        {
            Answer = _ => [new Step.Send(new SseEvent(BigLines) { EventId = "n1" }, $"data: {BigLines.Replace("\n", "\ndata: ", StringComparison.Ordinal)}\nid: n1\n\n"), Event(2), Done],
            Expected = new([new("message", "n1", Short(BigLines)), Number(2), End], ["-"]),
        },
        new("gap")
        {
            Topic = _ => { },
            Prepare = async (context, visit, topic) =>
            {
                // As a page does that was rendered with a position; the header wins once there is one.
                context.Request.QueryString = context.Request.QueryString.Add("lastEventId", "nowhere");
                if (visit.Requests == 1)
                {
                    await FillAsync(context, visit, topic, 3);
                    context.Features.Get<Wiretap>()!.CutAfter("data: entry 3", visit.Requests);
                }
            },
            Answer = visit =>
            [
                .. Cut(visit, "data: entry 3"),
                .. visit.LastEventIds[^1] == "-" ? [new Step.Send(default, "event: gap\ndata: {\"reason\":\"unknown\",\"requested\":\"nowhere\"}\nid: e0\n\n")] : Array.Empty<Step>(),
                .. Entries(visit.Next, 3),
                Done with { Bytes = "event: done\ndata: \nid: e4\n\n" },
            ],
            Expected = new(
                [new("gap", "e0", "{\"reason\":\"unknown\",\"requested\":\"nowhere\"}"), .. Enumerable.Range(1, 3).Select(Entry), End],
                null),
        },
        new("topic")
        {
            Topic = options => (options.Start, options.SendStartPosition) = (SseStart.Earliest, false),
            Prepare = async (context, visit, topic) =>
            {
                var tap = context.Features.Get<Wiretap>()!;
                switch (visit.Requests)
                {
                    case 1:
                        await FillAsync(context, visit, topic, 9);
                        tap.CutAfter("data: entry 4", visit.Requests);
                        break;
                    case 2:
                        tap.CutAfter("data: entry 7\n", visit.Requests);
                        break;
                }
            },
            Answer = visit => [.. Cut(visit, "data: entry 4", "data: entry 7\n"), .. Entries(visit.Next, 9), Done with { Bytes = "event: done\ndata: \nid: e10\n\n" }],
            Expected = new([.. Enumerable.Range(1, 9).Select(Entry), End], null),
        },
        new("position")
        {
            // Who starts live and is cut off before the first event comes back with the position, and loses nothing. Cut again until the client
            // has got it, for a client on top of fetch may lose what comes right before a cut; but not for ever.
            MayRepeat = true,
            Topic = _ => { },
            Prepare = async (context, visit, topic) =>
            {
                var topics = context.RequestServices.GetRequiredService<ISseTopics>();
                if (visit.LastEventIds[^1] == "-" && visit.Requests < 4)
                {
                    var position = await topics.GetPositionAsync(topic);
                    visit.Names[position] = "e0";
                    context.Features.Get<Wiretap>()!.CutAfter($"id: {position}\n\n", visit.Requests);
                }
                else
                {
                    context.Request.QueryString = context.Request.QueryString.Add("lastEventId", await topics.GetPositionAsync(topic));
                    await FillAsync(context, visit, topic, 1);
                }
            },
            Answer = visit => visit.LastEventIds[^1] == "-" && visit.Requests < 4
                ? [new Step.CutAfter("id: e0\n\n"), new Step.Send(default, "id: e0\n\n")]
                : [.. Entries(visit.Next, 1), Done with { Bytes = "event: done\ndata: \nid: e2\n\n" }],
            Expected = new([Entry(1), End], ["-", "e0"]),
        },
        new("crlf")
        {
            ByHandOnly = true,
            Answer = _ => Lines("event: named\r\ndata: a\r\ndata: b\r\nid: n1\r\n\r\n", "data: c\r\nid: n2\r\n\r\n", "event: done\r\ndata\r\n\r\n"),
            Expected = new([new("named", "n1", "a\nb"), new("message", "n2", "c"), End], ["-"]),
        },
        new("cr")
        {
            // Whether a line feed follows is not known to a client that waits for it: the keep-alive at the end brings the last event.
            ByHandOnly = true,
            Answer = _ => Lines("event: named\rdata: a\rdata: b\rid: n1\r\r", "data: c\rid: n2\r\r", "event: done\rdata\r\r"),
            Expected = new([new("named", "n1", "a\nb"), new("message", "n2", "c"), End], ["-"]),
        },
        new("in-pieces")
        {
            // Each piece is followed by a silence that is longer than the keep-alive interval.
            ByHandOnly = true,
            Answer = _ => ByHand("da", "ta: a", "\n", "data: b\n", "id: n1\n", "\n", "event: do", "ne\n", "data: \n\n"),
            Expected = new([new("message", "n1", "a\nb"), End], ["-"]),
        },
    ];

    private static Heard End => new("done", "", "");

    private static Step.Send Done => new(new SseEvent("", "done"), "event: done\ndata: \n\n");

    public static Source Of(string name) => All.Single(source => source.Name == name);

    private static Step.Send Text(string data) => new(data, $"data: {data}\n\n");

    private static Step.Send Comment(string text, string bytes) => new(SseEvent.Comment(text), bytes);

    /// <summary>A <c>retry:</c> line without a blank one, and a comment because SseKit sends it with one.</summary>
    private static Step.Send Retry(int milliseconds) =>
        new(SseEvent.Comment("") with { ReconnectionInterval = TimeSpan.FromMilliseconds(milliseconds) }, $"retry: {milliseconds}\n:\n");

    private static Step.Send Event(int number) =>
        new(new SseEvent($"number {number}\nof twelve, {number}") { EventId = $"n{number}" }, $"data: number {number}\ndata: of twelve, {number}\nid: n{number}\n\n");

    private static IEnumerable<Step> Numbers(int first, int last) => Enumerable.Range(first, Math.Max(0, last - first + 1)).Select(Event);

    private static Heard Number(int number) => new("message", $"n{number}", $"number {number}\nof twelve, {number}");


    // The reconnection interval within an event, too.
    private static IEnumerable<Step> Entries(int first, int last) => Enumerable.Range(first, Math.Max(0, last - first + 1))
        .Select(number => new Step.Send(default, $"retry: 10\ndata: entry {number}\nid: e{number}\n\n"));

    private static Heard Entry(int number) => new("message", $"e{number}", $"entry {number}");

    private static IEnumerable<Step> Cut(Visit visit, params string[] after) =>
        visit.Requests <= after.Length ? [new Step.CutAfter(after[visit.Requests - 1])] : [];

    private static IEnumerable<Step> Lines(params string[] events) =>
        events.SelectMany<string, Step>(bytes => [new Step.Send(default, bytes), new Step.KeepAlives(2)]);

    private static IEnumerable<Step> ByHand(params string[] pieces) => pieces.Select(piece => new Step.Piece(piece));

    /// <summary>Publishes entries and the end, and notes what their ids are called.</summary>
    private static async Task FillAsync(HttpContext context, Visit visit, string topic, int count)
    {
        var topics = context.RequestServices.GetRequiredService<ISseTopics>();
        visit.Names[await topics.GetPositionAsync(topic)] = "e0";
        for (var number = 1; number <= count; number++)
        {
            var id = await topics.PublishAsync(topic, new SseEvent($"entry {number}") { ReconnectionInterval = TimeSpan.FromMilliseconds(10) });
            visit.Names[id] = $"e{number}";
        }

        await topics.PublishAsync(topic, new SseEvent("", "done"));
    }

    /// <summary>As watch.mjs shortens long texts.</summary>
    public static string Short(string data)
    {
        if (data.Length <= 1000)
        {
            return data;
        }

        var hash = 0x811c9dc5u;
        foreach (var c in data)
        {
            hash = unchecked((hash ^ c) * 0x01000193u);
        }

        return string.Create(CultureInfo.InvariantCulture, $"{data.Length} characters, {hash}");
    }
}
