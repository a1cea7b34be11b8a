using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A node of an app as users write it: real HTTP on a port of its own.</summary>
internal sealed class Node : IAsyncDisposable
{
    private static readonly HttpClient Client = new(new SocketsHttpHandler { MaxConnectionsPerServer = 10_000 }) { Timeout = Timeout.InfiniteTimeSpan };

    private readonly WebApplication _app;

    private Node(WebApplication app) => _app = app;

    public ISseTopics Topics => _app.Services.GetRequiredService<ISseTopics>();

    public static async Task<Node> StartAsync(string redis, Action<SseOptions>? options = null, Action<SseRedisOptions>? store = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSse(o =>
        {
            o.BacklogPollInterval = TimeSpan.FromMilliseconds(200);
            o.KeepAliveInterval = TimeSpan.FromMilliseconds(300);
            options?.Invoke(o);
        }).AddStackExchangeRedis(o =>
        {
            o.Configuration = ConfigurationOptions.Parse($"{redis},asyncTimeout=1000,connectTimeout=1000");
            o.Configuration.HeartbeatInterval = TimeSpan.FromMilliseconds(100);
            o.Configuration.ReconnectRetryPolicy = new LinearRetry(100);
            store?.Invoke(o);
        });
        var app = builder.Build();
        app.MapSse("/live", "numbers");
        await app.StartAsync();
        return new Node(app);
    }

    /// <summary>A connection as a client has it; ends when it breaks.</summary>
    public async IAsyncEnumerable<SseItem<string>> ConnectAsync(
        string? lastEventId, Action<string>? onPosition = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{_app.Urls.First()}/live");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        if (!string.IsNullOrEmpty(lastEventId))
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        var watched = new WatchedLines(body, onPosition);
        await foreach (var item in SseParser.Create(watched).EnumerateAsync(cancellationToken))
        {
            yield return item;
        }
    }

    public static int Number(SseItem<string> item) => JsonSerializer.Deserialize<int>(item.Data);

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }

    /// <summary>Tells of the blocks that move the position and hold no event, which SseParser keeps to itself, and of comments.</summary>
    private sealed class WatchedLines(Stream inner, Action<string>? onLine) : Stream
    {
        private readonly MemoryStream _line = new();

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            if (onLine is not null)
            {
                foreach (var one in buffer.Span[..read])
                {
                    if (one == (byte)'\n')
                    {
                        onLine(System.Text.Encoding.UTF8.GetString(_line.GetBuffer(), 0, (int)_line.Length));
                        _line.SetLength(0);
                    }
                    else
                    {
                        _line.WriteByte(one);
                    }
                }
            }

            return read;
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
