using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace SseKit.Streaming;

/// <summary>
/// Finds out a peer that vanished without a word. Keep-alives are too small to fill its buffer, so no write would ever wait for it; but what is
/// sent to it is not acknowledged, and on Linux the socket can be told how long that may last (TCP_USER_TIMEOUT, RFC 5482).
/// </summary>
internal static class PeerTimeout
{
    private const int ProtocolTcp = 6;
    private const int TcpUserTimeout = 18;

    public static void Set(HttpContext context, TimeSpan timeout)
    {
        if (timeout == Timeout.InfiniteTimeSpan
            || !OperatingSystem.IsLinux()
            || context.Features.Get<IConnectionSocketFeature>()?.Socket is not { ProtocolType: ProtocolType.Tcp } socket)
        {
            return;
        }

        try
        {
            socket.SetRawSocketOption(ProtocolTcp, TcpUserTimeout, BitConverter.GetBytes((int)timeout.TotalMilliseconds));
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The connection is closed by now, which is found out at the first write.
        }
    }
}
