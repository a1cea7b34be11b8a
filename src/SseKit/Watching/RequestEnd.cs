using Microsoft.AspNetCore.Http.Features;

namespace SseKit.Watching;

/// <summary>
/// The end of a request as the app sees it: its client leaves, or the host stops and it is an event stream. Made when the app first asks for the
/// token, for most never do; the token that it is linked to is the one that stands then, since <c>UseRequestTimeouts</c> replaces it.
/// </summary>
internal sealed class RequestEnd : CancellationTokenSource, IHttpRequestLifetimeFeature
{
    private readonly CancellationTokenRegistration _left;
    private volatile bool _stopped;

    public RequestEnd(IHttpRequestLifetimeFeature inner)
    {
        Inner = inner;
        RequestAborted = Token;
        _left = inner.RequestAborted.UnsafeRegister(static end => ((RequestEnd)end!).Cancel(), this);
    }

    /// <summary>What the server, or the middleware before, knows of the request's end.</summary>
    public IHttpRequestLifetimeFeature Inner { get; }

    /// <summary>The token of this end, or one that a middleware has made of it and put in its place.</summary>
    public CancellationToken RequestAborted { get; set; }

    /// <summary>Whether the client has left.</summary>
    public bool HasLeft => Inner.RequestAborted.IsCancellationRequested;

    // Who gives up because it was stopped, as YARP does, must not cut off what is to end cleanly.
    public void Abort()
    {
        if (!_stopped)
        {
            Inner.Abort();
        }
    }

    /// <summary>Tells the app to end. Runs code of the app, which may throw.</summary>
    public void Stop()
    {
        _stopped = true;
        Cancel();
    }

    /// <summary>Lets go of the client's token, which may outlive the request.</summary>
    public void Unlink() => _left.Unregister();
}
