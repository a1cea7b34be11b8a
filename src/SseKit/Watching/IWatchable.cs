using Microsoft.AspNetCore.Http.Features;
using SseKit.Streaming;

namespace SseKit.Watching;

/// <summary>A response that may turn out to be an event stream.</summary>
internal interface IWatchable : IStandAside
{
    /// <summary>What the server, or the middleware before, offers to write to.</summary>
    IHttpResponseBodyFeature Inner { get; }

    /// <summary>The stream, if the response is one that is to be watched as far as can be told by now; else null.</summary>
    WatchedStream? Watch();
}
