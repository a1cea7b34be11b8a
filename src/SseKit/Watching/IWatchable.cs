using Microsoft.AspNetCore.Http.Features;

namespace SseKit.Watching;

/// <summary>A response that may turn out to be an event stream.</summary>
internal interface IWatchable
{
    /// <summary>What the server, or the middleware before, offers to write to.</summary>
    IHttpResponseBodyFeature Inner { get; }

    /// <summary>The stream, once the response is one that is to be watched; else null.</summary>
    WatchedStream? Watch();
}
