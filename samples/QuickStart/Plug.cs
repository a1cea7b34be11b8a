using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections.Features;

/// <summary>
/// The mischief of the samples, nothing that an app needs: it cuts a browser tab's connection under the stream. A tab names itself in the
/// query of its stream, <c>?tab=…</c>; while its plug is out, its new connections are cut as well.
/// </summary>
internal sealed class Plug(TimeProvider time) : IMiddleware
{
    private readonly ConcurrentDictionary<string, IConnectionLifetimeFeature> _connections = new();
    private readonly ConcurrentDictionary<string, DateTimeOffset> _outUntil = new();

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var connection = context.Features.Get<IConnectionLifetimeFeature>();
        if (connection is null || context.Request.Query["tab"] is not [{ } tab])
        {
            await next(context);
        }
        else if (_outUntil.TryGetValue(tab, out var until) && time.GetUtcNow() < until)
        {
            connection.Abort();
        }
        else
        {
            _outUntil.TryRemove(tab, out _);
            _connections[tab] = connection;
            try
            {
                await next(context);
            }
            finally
            {
                _connections.TryRemove(KeyValuePair.Create(tab, connection));
            }
        }
    }

    /// <summary>Cuts the tab off, without a word of farewell, as a train does in a tunnel.</summary>
    public void Pull(string tab, int seconds)
    {
        _outUntil[tab] = time.GetUtcNow().AddSeconds(seconds);
        if (_connections.TryGetValue(tab, out var connection))
        {
            connection.Abort();
        }
    }
}
