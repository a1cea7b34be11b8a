using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A node of an app as users write it: real HTTP on a port of its own. Within the tests, or a process of its own.</summary>
internal sealed class Node : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Node(WebApplication app) => _app = app;

    public string Address => _app.Urls.First();

    public ISseConnections Connections => _app.Services.GetRequiredService<ISseConnections>();

    public ISseTopics Topics => _app.Services.GetRequiredService<ISseTopics>();

    public static async Task<Node> StartAsync(
        string redis, Action<SseOptions>? options = null, Action<SseRedisOptions>? store = null, string address = "http://127.0.0.1:0")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls(address);
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
        app.MapSse("/all", "numbers", o => o.Start = SseStart.Earliest);
        app.MapPost("/publish", async ([FromBody] int number) => await PublishAsync(app.Services.GetRequiredService<ISseTopics>(), number));
        await app.StartAsync();
        return new Node(app);
    }

    /// <summary>Publishes, and says in a word what became of it.</summary>
    public static async Task<string> PublishAsync(ISseTopics topics, int number)
    {
        try
        {
            await topics.PublishAsync("numbers", SseEvent.Json(number));
            return "confirmed";
        }
        catch (SseUnknownOutcomeException)
        {
            return "unknown";
        }
        catch (Exception exception) when (exception is RedisException or RedisTimeoutException)
        {
            return "refused";
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }
}
