using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.Logging;
using SseKit.Diagnostics;

namespace SseKit.Streaming;

/// <summary>What an event stream's response needs before its first byte, against every cache, proxy and middleware on the way.</summary>
internal static class ResponsePreamble
{
    public const string ContentType = "text/event-stream";

    private const string CacheControl = "no-cache, no-store, no-transform";

    /// <summary>Done before the source is started: it takes effect at once, and does no harm to an error page.</summary>
    public static void BeforeSource(HttpContext context)
    {
        context.Features.Get<IHttpRequestTimeoutFeature>()?.DisableTimeout();

        // A stream's duration says how long somebody looked at a page; in http.server.request.duration it would only spoil the percentiles.
        if (context.Features.Get<IHttpMetricsTagsFeature>() is { } metrics)
        {
            metrics.MetricsDisabled = true;
        }
    }

    /// <summary>Done when the stream begins: nothing of it is in the way of a real HTTP error before that.</summary>
    public static void Apply(HttpContext context, StreamHost host)
    {
        var response = context.Response;

        // Any other status ends an EventSource for good, and a length that somebody set before would end the response in the middle.
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentLength = null;
        response.ContentType = ContentType;
        response.Headers.CacheControl = CacheControl;
        Complete(context, host);
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
    }

    /// <summary>The answer to who has been told the end: the one status that makes an EventSource stay away for good.</summary>
    public static void ApplyOver(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        context.Response.Headers.CacheControl = CacheControl;
    }

    /// <summary>Adds what somebody else's event stream lacks of it, and leaves what they said.</summary>
    public static void Complete(HttpContext context, StreamHost host)
    {
        var headers = context.Response.Headers;
        var cacheControl = headers.CacheControl.ToString();
        if (cacheControl.Length == 0)
        {
            headers.CacheControl = CacheControl;
        }
        else if (!cacheControl.Contains("no-transform", StringComparison.OrdinalIgnoreCase))
        {
            headers.CacheControl = $"{cacheControl}, no-transform";
        }

        // nginx buffers what it proxies unless it is told not to: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
        headers.TryAdd("X-Accel-Buffering", "no");

        // Keeps compression off: it would hold events back until a block is full. Where the user added text/event-stream to what is
        // compressed, it is their choice, and each flush of ours flushes the compressor too.
        if (headers.ContentEncoding.Count == 0 && host.Compression?.ShouldCompressResponse(context) is not true)
        {
            headers.ContentEncoding = "identity";
        }

        RefuseOutputCache(context, host.Logger);
    }

    // Reached only where the endpoint's metadata could not keep the cache off (see StreamMetadata).
    private static void RefuseOutputCache(HttpContext context, ILogger logger)
    {
        if (context.Features.Get<IOutputCacheFeature>() is { Context: { EnableOutputCaching: true, AllowCacheStorage: true } cache })
        {
            cache.AllowCacheStorage = false;
            Log.OutputCacheRefused(logger, context.Request.Path);
        }
    }
}
