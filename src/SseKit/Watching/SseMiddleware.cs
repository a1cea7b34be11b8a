using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace SseKit.Watching;

/// <summary>Puts a <see cref="WatchedBody"/> between each request and its response, and takes it away again.</summary>
internal sealed class SseMiddleware(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        // One in the pipeline is enough, and another may be in a branch of it.
        if (context.Features.Get<IHttpResponseBodyFeature>() is not { } inner || inner is IWatchable)
        {
            return next(context);
        }

        var body = new WatchedBody(context, inner, context.Features.Get<IHttpRequestLifetimeFeature>() ?? new HttpRequestLifetimeFeature());
        context.Features.Set<IHttpResponseBodyFeature>(body);
        context.Features.Set<IHttpRequestLifetimeFeature>(body);
        Task task;
        try
        {
            task = next(context);
        }
        catch (Exception exception)
        {
            task = Task.FromException(exception);
        }

        return body.FinishAsync(task);
    }
}
