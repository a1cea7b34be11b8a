using System.Diagnostics.CodeAnalysis;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis;

/// <summary>The connection, made when it is first needed. Afterwards StackExchange.Redis keeps it alive by itself.</summary>
internal sealed class RedisConnection(SseRedisOptions options, IServiceProvider services) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private Task<RedisLink>? _connecting;
    private bool _disposed;

    /// <summary>Called whenever the connection may have been away: bells were missed.</summary>
    public event Action? Restored;

    public async ValueTask<RedisLink> GetAsync(CancellationToken cancellationToken)
    {
        Task<RedisLink> connecting;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_connecting is null or { IsFaulted: true } or { IsCanceled: true })
            {
                // Not within the request that happens to be the first, for it outlives it.
                using (ExecutionContext.SuppressFlow())
                {
                    _connecting = Task.Run(ConnectAsync, CancellationToken.None);
                }
            }

            connecting = _connecting;
        }

        return connecting.IsCompletedSuccessfully ? connecting.Result : await connecting.WaitAsync(cancellationToken);
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "Nothing was connected, so nothing is left to close.")]
    public async ValueTask DisposeAsync()
    {
        Task<RedisLink>? connecting;
        lock (_gate)
        {
            _disposed = true;
            connecting = _connecting;
        }

        if (connecting is null)
        {
            return;
        }

        IConnectionMultiplexer connection;
        try
        {
            connection = (await connecting).Connection;
        }
        catch (Exception)
        {
            return;
        }

        connection.ConnectionRestored -= OnRestored;
        if (options.Connect is null)
        {
            await connection.DisposeAsync();
        }
    }

    private async Task<RedisLink> ConnectAsync()
    {
        IConnectionMultiplexer connection;
        if (options.Connect is not null)
        {
            connection = await options.Connect(services);
        }
        else
        {
            var configuration = options.Configuration!.Clone();
            configuration.AbortOnConnectFail = false;
            configuration.BacklogPolicy = BacklogPolicy.FailFast;
            configuration.ClientName ??= "SseKit";
            connection = await ConnectionMultiplexer.ConnectAsync(configuration);
        }

        connection.ConnectionRestored += OnRestored;
        return new RedisLink(connection, options.Database);
    }

    private void OnRestored(object? sender, ConnectionFailedEventArgs args) => Restored?.Invoke();
}
