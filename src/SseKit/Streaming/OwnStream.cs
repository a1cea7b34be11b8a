using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace SseKit.Streaming;

/// <summary>Someone who would look after an event stream, and is not needed where SseKit itself writes it.</summary>
internal interface IStandAside
{
    /// <summary>Leaves the response alone from now on.</summary>
    void StandAside();
}

/// <summary>How a stream of SseKit's own tells the middleware that it needs no help.</summary>
internal sealed class OwnStream
{
    private static readonly OwnStream MiddlewareInUse = new();

    /// <summary>Says on the server's features that some pipeline of the app has the middleware.</summary>
    public static void UseMiddleware(IFeatureCollection serverFeatures) => serverFeatures.Set(MiddlewareInUse);

    public static void Announce(HttpContext context, StreamHost host)
    {
        if (context.Features.Get<IHttpResponseBodyFeature>() is IStandAside middleware)
        {
            middleware.StandAside();
            return;
        }

        // Someone between the two may have wrapped the response once more, so a note must do; only then, for it costs a dictionary.
        if (host.Server?.Features.Get<OwnStream>() is not null)
        {
            context.Items[typeof(OwnStream)] = MiddlewareInUse;
        }
    }

    public static bool IsAnnounced(HttpContext context) => context.Items.ContainsKey(typeof(OwnStream));
}
