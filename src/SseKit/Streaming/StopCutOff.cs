using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace SseKit.Streaming;

/// <summary>
/// The server goes on sending what it has taken over, and a client that does not read would hold up the host's stop with that. On
/// HTTP/1.1 the connection is this stream's alone, so it is closed in good order after it, and cut off where that takes too long. One of
/// a later version may carry others.
/// </summary>
internal static class StopCutOff
{
    public static void Later(HttpContext context, TimeSpan grace)
    {
        if (!HttpProtocol.IsHttp11(context.Request.Protocol)
            || context.Features.Get<IConnectionLifetimeFeature>() is not { } connection
            || context.Features.Get<IConnectionLifetimeNotificationFeature>() is not { } notification)
        {
            return;
        }

        notification.RequestClose();
        _ = CutOffAsync();

        async Task CutOffAsync()
        {
            await Task.Delay(grace, connection.ConnectionClosed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!connection.ConnectionClosed.IsCancellationRequested)
            {
                connection.Abort();
            }
        }
    }
}
