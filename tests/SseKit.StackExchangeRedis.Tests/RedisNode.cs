using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A backlog with a connection of its own: what one node of an app has.</summary>
internal sealed class RedisNode : IAsyncDisposable
{
    private readonly RedisConnection _connection;

    private RedisNode(SseRedisOptions options, SseOptions topics)
    {
        _connection = new RedisConnection(options, null!);
        Backlog = new RedisBacklog(_connection, options, topics, Logged);
    }

    public RedisBacklog Backlog { get; }

    public LogList Logged { get; } = new();

    public static RedisNode On(RedisServer server, Action<SseRedisOptions>? configure = null, SseOptions? topics = null) => On(server.Address, configure, topics);

    public static RedisNode On(string address, Action<SseRedisOptions>? configure = null, SseOptions? topics = null)
    {
        var options = new SseRedisOptions { Configuration = ConfigurationOptions.Parse(address) };
        configure?.Invoke(options);
        return new RedisNode(options, topics ?? new SseOptions());
    }

    public async Task<IConnectionMultiplexer> ConnectionAsync() => (await _connection.GetAsync(CancellationToken.None)).Connection;

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}

internal sealed class LogList : ILogger
{
    public ConcurrentQueue<(EventId Id, LogLevel Level, string Text)> Entries { get; } = new();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Entries.Enqueue((eventId, logLevel, formatter(state, exception)));
}
