using System.Text.RegularExpressions;

namespace SseKit.ClientTests;

/// <summary>The first response of every stream as it is, for who has no client at all. Both forms are held against the same bytes.</summary>
public class RawTests(ClientField field)
{
    // https://curl.se/libcurl/c/libcurl-errors.html
    private const int CurlPartialFile = 18;

    public static TheoryData<string, string> EachStream()
    {
        var rows = new TheoryData<string, string>();
        foreach (var stream in Streams.All().Where(stream => stream.Source.OnlyFor is null && stream.Source.Name != "aborted"))
        {
            rows.Add(stream.Form, stream.Source.Name);
        }

        return rows;
    }

    [Theory, MemberData(nameof(EachStream))]
    public async Task Curl_gets_the_bytes_and_learns_of_a_cut(string form, string name)
    {
        var (text, code) = await RawRun.CurlAsync(Url(RawRun.Curl, form, name), TestContext.Current.CancellationToken);

        Assert.Equal(ByHand(name), WithoutKeepAlives(Named(RawRun.Curl, form, name, text)));
        Assert.Equal(IsCut(name) ? CurlPartialFile : 0, code);
    }

    [Theory, MemberData(nameof(EachStream))]
    public async Task HttpClient_reads_the_lines_and_learns_of_a_cut(string form, string name)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false };
        using var http = new HttpClient(handler);
        var (lines, complete) = await RawRun.LinesAsync(http, Url(RawRun.Lines, form, name), TestContext.Current.CancellationToken);

        using var reader = new StringReader(ByHand(name));
        var expected = new List<string>();
        while (reader.ReadLine() is { } line)
        {
            expected.Add(line);
        }

        // A line that was cut off comes as a line all the same, and is lost where the error comes first.
        var whole = IsCut(name) ? expected.SkipLast(1) : expected;
        var got = lines.Where(line => line != ":").Select(line => Named(RawRun.Lines, form, name, line)).ToList();
        Assert.Equal(whole, got.Take(whole.Count()));
        Assert.Equal(!IsCut(name), complete);
    }

    private static string ByHand(string name) => WithoutKeepAlives(Sources.Of(name).FirstBytes());

    private static bool IsCut(string name)
    {
        var visit = new Visit();
        visit.Arrive("-");
        return Sources.Of(name).Answer(visit)!.Any(step => step is Step.CutAfter);
    }

    // Keep-alives come when they come, and a comment without text looks like one.
    private static string WithoutKeepAlives(string text) => Regex.Replace(text, "(?<=^|[\r\n]):\n", "");

    private string Url(string client, string form, string name)
    {
        // They are not told when they are connected.
        field.Server.VisitOf(client, form, name).Opened.TrySetResult();
        return $"{field.Server.Address}/{form}/{name}?client={client}";
    }

    private string Named(string client, string form, string name, string text) => field.Server.VisitOf(client, form, name).Name(text);
}
