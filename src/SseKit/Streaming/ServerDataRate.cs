using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace SseKit.Streaming;

/// <summary>
/// Kestrel's own limit for who reads slowly. By its default (240 B/s after 5 s) a client whose buffers are full is cut off after 5 s, whatever
/// <c>WriteTimeout</c> says, and a busy stream earns its client minutes. So while a stream is open <c>WriteTimeout</c> stands in for it; it is
/// back for what the server has still to send when the stream has ended. Over HTTP/2 it belongs to the connection and stays.
/// </summary>
/// <remarks>Its accounting is also a tenth of what a flush costs.</remarks>
internal static class ServerDataRate
{
    /// <summary>Lifts the limit; gives what it was, or null when there is none or nothing stands in for it.</summary>
    public static MinDataRate? Suspend(HttpContext context, TimeSpan writeTimeout)
    {
        if (writeTimeout == Timeout.InfiniteTimeSpan || context.Features.Get<IHttpMinResponseDataRateFeature>() is not { MinDataRate: { } rate } limit)
        {
            return null;
        }

        limit.MinDataRate = null;
        return rate;
    }

    /// <summary>Sets it again, with no less patience for what still waits than the stream had.</summary>
    public static void Resume(HttpContext context, MinDataRate? rate, TimeSpan writeTimeout)
    {
        if (rate is not null && context.Features.Get<IHttpMinResponseDataRateFeature>() is { } limit)
        {
            limit.MinDataRate = rate.GracePeriod < writeTimeout ? new MinDataRate(rate.BytesPerSecond, writeTimeout) : rate;
        }
    }
}
