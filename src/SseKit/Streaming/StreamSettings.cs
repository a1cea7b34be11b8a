using Microsoft.AspNetCore.Http;

namespace SseKit.Streaming;

/// <summary>What holds for one stream: its result's choices before its endpoint's before the app's.</summary>
internal sealed class StreamSettings
{
    public required TimeSpan KeepAliveInterval { get; init; }

    public Func<HttpContext, Exception, SseEvent?>? OnError { get; init; }

    public static StreamSettings Of(HttpContext context, StreamSettings app, SseStreamOptions? result)
    {
        var endpoint = StreamChoices.OfEndpoint(context);
        if (result is null && endpoint is null)
        {
            return app;
        }

        return new StreamSettings
        {
            KeepAliveInterval = result?.KeepAliveInterval ?? endpoint?.KeepAliveInterval ?? app.KeepAliveInterval,
            OnError = result?.OnError ?? endpoint?.OnError ?? app.OnError,
        };
    }
}
