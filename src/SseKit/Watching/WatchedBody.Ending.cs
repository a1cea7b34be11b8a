using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Diagnostics;
using SseKit.Streaming;

namespace SseKit.Watching;

/// <summary>How a request ends: mostly with its app, but when the host stops, a stream's may end without it.</summary>
internal sealed partial class WatchedBody
{
    private AsyncTaskMethodBuilder _request;
    private bool _isAwaited;
    private bool _isFinished;

    /// <summary>Sees to the end of the request.</summary>
    /// <param name="app">What the app does.</param>
    /// <returns>What the server is to wait for.</returns>
    /// <remarks>
    /// Not an async method, since this runs for every request: that would be a larger object, and there would be no way to end before the app
    /// does. The builder's task is at the same time what continues after the app's, without anything in between.
    /// </remarks>
    public Task FinishAsync(Task app)
    {
        if (app.IsCompleted)
        {
            var end = EndAsync(failed: !app.IsCompletedSuccessfully);
            var outcome = IsAsTold(app) ? Task.CompletedTask : app;
            return end.IsCompletedSuccessfully ? outcome : Task.WhenAll(end, outcome);
        }

        if (IsWaiting)
        {
            _ = BeginAsync();
        }

        var awaiter = app.GetAwaiter();
        var afterApp = new AfterApp(this, app);
        _request.AwaitUnsafeOnCompleted(ref awaiter, ref afterApp);
        Volatile.Write(ref _isAwaited, true);
        return _request.Task;
    }

    // Not where the host stops: it has others to tell, and this runs code of the app.
    private void StopInBackground() => ThreadPool.UnsafeQueueUserWorkItem(static body => _ = body.StopAsync(), this, preferLocal: false);

    private async Task StopAsync()
    {
        // By now it may have become something else, which is left alone, or not yet have become a stream, whose beginning finds out.
        if (Watch() is not { } watched)
        {
            return;
        }

        if (IsWaiting)
        {
            // Before the app hears of it: some take it for an error, and a browser must see 200.
            await BeginAsync();
        }

        if (await watched.StopAsync() && Volatile.Read(ref _isAwaited) && !Interlocked.Exchange(ref _isFinished, true))
        {
            await EndAsync(failed: true);
            _request.SetResult();
        }
    }

    /// <summary>Sends the headers of a stream that was announced.</summary>
    private async Task BeginAsync()
    {
        if (Watch() is { } watched)
        {
            try
            {
                await watched.StartAsync(CancellationToken.None);
            }
            catch (Exception exception)
            {
                // Mostly the client has left, and the app will notice in its own time.
                Log.SourceFailedAfterEnd(StreamHost.Of(context).Logger, context.Request.Path, exception);
            }
        }
    }

    private void AppEnded(Task app)
    {
        if (Interlocked.Exchange(ref _isFinished, true))
        {
            _watched!.NoteFailure(app.Exception);
            return;
        }

        var end = EndAsync(failed: !app.IsCompletedSuccessfully);
        if (end.IsCompletedSuccessfully)
        {
            Complete(app);
        }
        else
        {
            _ = CompleteAsync(end, app);
        }
    }

    private async Task CompleteAsync(Task end, Task app)
    {
        await end.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Complete(app.IsCompletedSuccessfully ? end : app);
    }

    private void Complete(Task outcome)
    {
        if (!IsAsTold(outcome))
        {
            try
            {
                outcome.GetAwaiter().GetResult();
            }
            catch (Exception exception)
            {
                _request.SetException(exception);
                return;
            }
        }

        _request.SetResult();
    }

    /// <summary>Whether the app was cancelled because it was told to end, or cut off because it did not: to its client that is a clean end.</summary>
    private bool IsAsTold(Task app) =>
        _watched is { Stops: true } && (_watched.EndsWithoutApp || app.IsCanceled || app.Exception?.InnerException is OperationCanceledException);

    private Task EndAsync(bool failed)
    {
        if (IsInPlace)
        {
            context.Features.Set(inner);
        }

        var end = _lifetime as RequestEnd;
        if (ReferenceEquals(context.Features.Get<IHttpRequestLifetimeFeature>(), this))
        {
            context.Features.Set(end?.Inner ?? _lifetime);
        }

        end?.Unlink();
        return _watched is null ? Task.CompletedTask : EndWatchedAsync(failed);
    }

    private async Task EndWatchedAsync(bool failed)
    {
        try
        {
            if (!failed && _writer is { HasPending: true })
            {
                await _writer.FlushAsync(CancellationToken.None);
            }
        }
        finally
        {
            await _watched!.EndAsync();
            _standsAside = true;
        }
    }
    private struct AfterApp(WatchedBody body, Task app) : IAsyncStateMachine
    {
        public readonly void MoveNext() => body.AppEnded(app);

        public readonly void SetStateMachine(IAsyncStateMachine stateMachine)
        {
        }
    }
}
