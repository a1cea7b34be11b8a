using SseKit.Streaming;
using SseKit.Watching;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Adds SseKit's middleware.</summary>
public static class SseApplicationBuilderExtensions
{
    /// <summary>
    /// Makes every response of the app that turns out to be <c>text/event-stream</c> behave as SseKit's own do, whoever writes it
    /// (<c>TypedResults.ServerSentEvents</c>, a loop of your own, a library, a proxied upstream): early headers, headers for proxies,
    /// keep-alive comments between events, and a clean end when the app stops. Other responses pass untouched.
    /// </summary>
    /// <param name="app">The app.</param>
    /// <returns>The app.</returns>
    /// <remarks>
    /// Put it after <c>UseResponseCompression</c> and before whatever writes the streams. A response that is encoded by the time it gets here,
    /// that has a <c>Content-Length</c>, or that answers HEAD is left alone. The headers of a silent stream leave at once where the stream
    /// calls <c>StartAsync</c>, or <c>DisableBuffering</c> as <c>TypedResults</c> does, unless a middleware after this one has awaited
    /// something before or has wrapped the response: then they leave with the first write. The interval is <c>SseOptions.KeepAliveInterval</c>; no registration is needed.
    /// When the app stops, the stream's <c>HttpContext.RequestAborted</c> fires, spread over <c>SseOptions.DrainWindow</c>, and a <c>retry:</c> is
    /// its last line unless the app ends in the middle of an event. An app that has not ended a second later is left behind: the response is
    /// completed without it. Limits, ages, <c>DrainEvent</c> and <c>WriteTimeout</c> do not hold for these streams.
    /// </remarks>
    public static IApplicationBuilder UseSse(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        OwnStream.UseMiddleware(app.ServerFeatures);
        return app.UseMiddleware<SseMiddleware>();
    }
}
