using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace SseKit.Streaming;

/// <summary>
/// Kestrel's own limit for who reads slowly. By its default (240 B/s after 5 s) a client whose buffers are full is cut off 5 s after a small
/// write, and minutes after a large one, whatever <c>WriteTimeout</c> says. So while a stream is open <c>WriteTimeout</c> stands in for it; it
/// is back for the end of the response. Over HTTP/2 and HTTP/3 it belongs to the connection and stays.
/// </summary>
/// <remarks>Its accounting is also a tenth of what a flush costs.</remarks>
internal static class ServerDataRate
{
    // What Kestrel may still hold of a response by its default: the rate would have given it the time to be read.
    private const double Buffered = 64 * 1024;
    private const double MostSeconds = 3600;

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

    /// <summary>Sets it again, with patience for all that may still wait to be sent.</summary>
    public static void Resume(HttpContext context, MinDataRate? rate, TimeSpan writeTimeout)
    {
        // Somebody may have set another meanwhile.
        if (rate is not null && context.Features.Get<IHttpMinResponseDataRateFeature>() is { MinDataRate: null } limit)
        {
            var grace = rate.GracePeriod > writeTimeout ? rate.GracePeriod : writeTimeout;
            limit.MinDataRate = new MinDataRate(rate.BytesPerSecond, grace + TimeSpan.FromSeconds(Math.Min(Buffered / rate.BytesPerSecond, MostSeconds)));
        }
    }
}
