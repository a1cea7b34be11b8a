using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;
using static SseKit.Tests.Streaming.Waiting;

namespace SseKit.Tests.Watching;

/// <summary>A client that reads all the time, so that a test can wait for what arrives.</summary>
internal sealed partial class ArrivingBytes : IDisposable
{
    private readonly MemoryStream _bytes = new();
    private readonly CancellationTokenSource _leave = new();
    private readonly Task _reading;

    private ArrivingBytes(TestApp app, string path, string? accept)
    {
        Started = StartAsync(app, path, accept);
        _reading = ReadAsync();
    }

    /// <summary>The response, once its headers are here.</summary>
    public Task<HttpResponseMessage> Started { get; }

    /// <summary>How many keep-alives have arrived.</summary>
    public int KeepAlives => Text.Split(StreamText.KeepAlive).Length - 1;

    public string Text => Encoding.Latin1.GetString(Bytes);

    public byte[] Bytes
    {
        get
        {
            lock (_bytes)
            {
                return _bytes.ToArray();
            }
        }
    }

    public static ArrivingBytes Of(TestApp app, string path, string? accept = null) => new(app, path, accept);

    public async Task<byte[]> ToEndAsync()
    {
        await _reading.Soon();
        return Bytes;
    }

    /// <summary>Waits until the text has arrived, and nothing else with it; one keep-alive stands for several in a row.</summary>
    public async Task ExpectAsync(string text)
    {
        await Until(() => Collapsed().Length >= text.Length || _reading.IsCompleted, $"the stream '{text}'");
        Assert.Equal(text, Collapsed());
    }

    /// <summary>The same for the whole of it.</summary>
    public async Task ExpectAllAsync(string text)
    {
        await _reading.Soon();
        Assert.Equal(text, Collapsed());
    }

    /// <summary>Lets intervals pass until a keep-alive arrives, and tells how many.</summary>
    /// <remarks>
    /// Mostly it is one. But a client sees bytes a moment before the server is done with sending them, and an interval that passes in that
    /// moment is no silence.
    /// </remarks>
    public async Task<int> SilenceAsync(FakeTimeProvider time)
    {
        var before = KeepAlives;
        for (var intervals = 1; ; intervals++)
        {
            time.Advance(TimeSpan.FromSeconds(15));
            for (var waits = 0; waits < 400; waits++)
            {
                if (KeepAlives > before)
                {
                    return intervals;
                }

                await Task.Delay(waits < 20 ? 1 : 5);
            }

            Assert.True(intervals < 15, $"No keep-alive came after '{Text}'.");
        }
    }

    public void Dispose()
    {
        _leave.Cancel();
        _leave.Dispose();
    }

    private string Collapsed() => KeepAlivesInARow().Replace(Text, StreamText.KeepAlive);

    [GeneratedRegex("(:\n)+")]
    private static partial Regex KeepAlivesInARow();

    private async Task<HttpResponseMessage> StartAsync(TestApp app, string path, string? accept)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path)
        {
            Version = app.Client.DefaultRequestVersion,
            VersionPolicy = app.Client.DefaultVersionPolicy,
        };
        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept-Encoding", accept);
        }

        return await app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _leave.Token);
    }

    private async Task ReadAsync()
    {
        using var response = await Started;
        await using var stream = await response.Content.ReadAsStreamAsync();
        await using var body = response.Content.Headers.ContentEncoding.LastOrDefault() == "gzip"
            ? new GZipStream(stream, CompressionMode.Decompress)
            : stream;
        var buffer = new byte[4096];
        int count;
        while ((count = await body.ReadAsync(buffer, _leave.Token)) > 0)
        {
            lock (_bytes)
            {
                _bytes.Write(buffer, 0, count);
            }
        }
    }
}
