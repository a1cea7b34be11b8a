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

        var body = new WatchedBody(context, inner);
        context.Features.Set<IHttpResponseBodyFeature>(body);
        Task task;
        try
        {
            task = next(context);
        }
        catch (Exception exception)
        {
            task = Task.FromException(exception);
        }

        if (task.IsCompleted)
        {
            var end = body.EndAsync(failed: !task.IsCompletedSuccessfully);
            return end.IsCompletedSuccessfully ? task : FinishAsync(Task.WhenAll(end, task), body: null);
        }

        return body.IsWaiting ? BeginAsync(task, body) : FinishAsync(task, body);
    }

    private static async Task BeginAsync(Task task, WatchedBody body)
    {
        try
        {
            await body.BeginAsync();
        }
        finally
        {
            await FinishAsync(task, body);
        }
    }

    // Written to make one small state machine: this runs for every request of the app that does not complete at once.
    private static async Task FinishAsync(Task task, WatchedBody? body)
    {
        await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        if (body is not null)
        {
            await body.EndAsync(failed: !task.IsCompletedSuccessfully)
                .ConfigureAwait(ConfigureAwaitOptions.ContinueOnCapturedContext);
        }

        task.GetAwaiter().GetResult();
    }
}
