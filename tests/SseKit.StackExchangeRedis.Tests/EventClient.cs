using System.Net.Http.Headers;
using System.Runtime.CompilerServices;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>What came over a connection: an event, a block that only moves the position (no data), or a comment (nothing at all).</summary>
internal sealed record Heard(string? Id, string? Type, string? Data)
{
    public bool IsComment => this is { Id: null, Data: null };

    public bool IsGap => Type == "gap";

    /// <summary>As tests compare it: the data, or <c>gap</c> and its reason.</summary>
    public string Said => IsGap ? $"gap {Data!.Split('"')[3]}" : Data!;
}

/// <summary>One connection as a client has it, read line by line: SseParser keeps comments and positions to itself.</summary>
internal static class EventClient
{
    public static HttpClient Http { get; } = new(new SocketsHttpHandler { MaxConnectionsPerServer = 10_000, UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Ends with the response; throws when it breaks off.</summary>
    public static async IAsyncEnumerable<Heard> ListenAsync(string url, string? lastEventId, [EnumeratorCancellation] CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        if (!string.IsNullOrEmpty(lastEventId))
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        using var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(stop));
        var block = new Heard(null, null, null);
        while (await reader.ReadLineAsync(stop) is { } line)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var value = line[(colon + 1)..].TrimStart(' ');
            switch (colon < 0 ? line : line[..colon])
            {
                case "id":
                    block = block with { Id = value };
                    break;
                case "event":
                    block = block with { Type = value };
                    break;
                case "data":
                    block = block with { Data = value };
                    break;
                case "" when colon == 0:
                    yield return new Heard(null, null, null);
                    break;
                case "" when !block.IsComment:
                    // Committed at the blank line only, as EventSource does.
                    yield return block;
                    block = new Heard(null, null, null);
                    break;
            }
        }
    }
}
