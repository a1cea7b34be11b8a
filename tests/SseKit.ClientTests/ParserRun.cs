using System.Net;
using System.Net.ServerSentEvents;

namespace SseKit.ClientTests;

/// <summary>All streams through the framework's <c>SseParser</c>, with the loop around it that its users write.</summary>
internal static class ParserRun
{
    // As in watch.mjs.
    private const int FailuresToBear = 10;

    public static async Task RunAsync(string address, Action<Seen> report, CancellationToken stop)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false };
        using var http = new HttpClient(handler);
        await Task.WhenAll(Streams.For(Clients.SseParser).Select(async stream => report(await RunAsync(http, address, stream.ToString(), stop))));
    }

    private static async Task<Seen> RunAsync(HttpClient http, string address, string source, CancellationToken stop)
    {
        var heard = new List<Heard>();
        var failures = new List<string>();
        var ended = "still there";
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stop);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        try
        {
            ended = await ReadAsync(http, $"{address}/{source}?client={Clients.SseParser}", heard, failures, patience.Token);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
        }

        return new Seen(Clients.SseParser, source, heard, ended, failures);
    }

    private static async Task<string> ReadAsync(HttpClient http, string url, List<Heard> heard, List<string> failures, CancellationToken stop)
    {
        var last = "";
        var retry = TimeSpan.FromSeconds(1);
        while (true)
        {
            SseParser<string>? parser = null;
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, url);
                if (last.Length > 0)
                {
                    request.Headers.TryAddWithoutValidation("Last-Event-ID", last);
                }

                using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
                if (response.StatusCode == HttpStatusCode.NoContent)
                {
                    return "closed";
                }

                if (url.Contains("/early", StringComparison.Ordinal))
                {
                    (await http.GetAsync(url.Replace("/early", "/opened", StringComparison.Ordinal), stop)).Dispose();
                }

                parser = SseParser.Create(await response.Content.ReadAsStreamAsync(stop));
                await foreach (var item in parser.EnumerateAsync(stop))
                {
                    last = item.EventId ?? last;
                    heard.Add(new Heard(item.EventType, last, Sources.Short(item.Data)));
                    if (item.EventType == "done")
                    {
                        return "done";
                    }
                }
            }
            catch (Exception exception) when (exception is IOException or HttpRequestException)
            {
                failures.Add(exception.Message);
                if (failures.Count > FailuresToBear)
                {
                    return "failing";
                }
            }

            // It starts with none, so that none may also mean that it heard of none.
            last = parser is { LastEventId.Length: > 0 } ? parser.LastEventId : last;
            retry = parser is not null && parser.ReconnectionInterval >= TimeSpan.Zero ? parser.ReconnectionInterval : retry;
            await Task.Delay(retry, stop);
        }
    }
}
