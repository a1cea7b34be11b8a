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
    // Thousands of streams that end at once keep a server busy, and who is still to get its last bytes from it must not be cut off for that: it
    // counts only when the server has nothing to do. But no stop waits for longer than so many graces.
    private const int IdleGraces = 4;
    private const int MostGraces = 20;

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
            for (int graces = 0, idle = 0; graces < MostGraces && idle < IdleGraces && !connection.ConnectionClosed.IsCancellationRequested; graces++)
            {
                await Task.Delay(grace, connection.ConnectionClosed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                idle = ThreadPool.PendingWorkItemCount == 0 ? idle + 1 : 0;
            }

            if (!connection.ConnectionClosed.IsCancellationRequested)
            {
                connection.Abort();
            }
        }
    }
}
