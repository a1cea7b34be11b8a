using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;

namespace SseKit.Streaming;

/// <summary>Until when a stream may be open.</summary>
internal static class StreamAge
{
    // Streams that began together, after a deploy, must not end together.
    private const double Jitter = 0.1;

    /// <summary>The timestamp at which the stream ends, or the largest there is.</summary>
    public static long ExpiresAt(HttpContext context, StreamHost host, long now)
    {
        var expires = long.MaxValue;
        if (host.Options.MaxConnectionAge is { } age)
        {
            expires = After(now, age * (1 - (Jitter * Random.Shared.NextDouble())), host.Time);
        }

        if (host.Options.EndWhenTicketExpires
            && context.Features.Get<IAuthenticateResultFeature>()?.AuthenticateResult?.Properties?.ExpiresUtc is { } ticket)
        {
            expires = Math.Min(expires, After(now, ticket - host.Time.GetUtcNow(), host.Time));
        }

        return expires;
    }

    // A ticket that says "never" with the year 9999 is further away than a clock of nanoseconds can count.
    private static long After(long now, TimeSpan time, TimeProvider clock) =>
        (long)Math.Min(long.MaxValue, now + (time.TotalSeconds * clock.TimestampFrequency));
}
