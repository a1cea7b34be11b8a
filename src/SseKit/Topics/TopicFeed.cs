using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using SseKit.Diagnostics;
using SseKit.Waiting;

namespace SseKit.Topics;

/// <summary>
/// Keeps this node's copy of a topic filled from the store: one reader for the topic, whatever the number of its subscribers. It looks when
/// the store rings and every <see cref="SseOptions.BacklogPollInterval"/> besides, since a bell may be missed. When the store can't be read
/// it tries again at the next look; the subscribers stay, and continuity is judged when the store is back.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without a timer holds nothing; the store may still look at it.")]
internal sealed class TopicFeed
{
    private const int PageSize = 256;

    private readonly AsyncSignal _look = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<FeedLog> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ISseBacklog _backlog;
    private readonly string _topic;
    private readonly SseOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public TopicFeed(ISseBacklog backlog, string topic, SseOptions options, TimeProvider time, ILogger logger)
    {
        _backlog = backlog;
        _topic = topic;
        _options = options;
        _time = time;
        _logger = logger;

        // The first subscriber's request must not be what the feed runs in for the rest of its life.
        using (ExecutionContext.SuppressFlow())
        {
            _ = RunAsync();
        }
    }

    /// <summary>Completes with the log once the store has been read for the first time, or fails with what the store threw.</summary>
    public Task<FeedLog> Opened => _opened.Task;

    /// <summary>How many read it. Kept by <see cref="TopicFeeds"/>, under its gate.</summary>
    public int Readers { get; set; }

    /// <summary>Asks the feed to look at the store now.</summary>
    public void Nudge() => _look.Set();

    /// <summary>Lets the feed end. Nobody waits for it: a store that is slow to let go must not hold a request open.</summary>
    public void Stop()
    {
        _ = _stop.CancelAsync();
        _look.Set();
    }

    private async Task RunAsync()
    {
        try
        {
            await using var watch = await _backlog.WatchAsync(_topic, Nudge, _stop.Token);
            var slice = await _backlog.ReadAsync(_topic, after: null, max: 0, _stop.Token);
            var log = new FeedLog(slice.Head, _options.MaxEventsPerTopic, _options.MaxBytesPerTopic);
            _opened.SetResult(log);
            await using var poll = _time.CreateTimer(
                static feed => ((TopicFeed)feed!).Nudge(), this, _options.BacklogPollInterval, _options.BacklogPollInterval);
            while (!_stop.IsCancellationRequested)
            {
                if (!await FollowAsync(log))
                {
                    await _look.WaitAsync();
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            _opened.TrySetCanceled();
        }
        catch (Exception exception) when (!_opened.Task.IsCompleted)
        {
            _opened.SetException(exception);
            _ = _opened.Task.Exception;
        }
        catch (Exception exception)
        {
            // Only closing the watch is left to fail here, and nobody reads any more.
            Log.FeedFailed(_logger, _topic, exception);
        }
    }

    /// <summary>Reads a page; false when there was none.</summary>
    private async ValueTask<bool> FollowAsync(FeedLog log)
    {
        try
        {
            var newest = log.Newest().Id;
            var slice = await _backlog.ReadAsync(_topic, newest, PageSize, _stop.Token);
            if (log.TryAppend(slice.Entries))
            {
                if (slice.Entries.Count > 0)
                {
                    return true;
                }

                if (slice.Head == newest)
                {
                    return false;
                }
            }

            log.BreakTo(slice.Entries.Count > 0 ? slice.Entries[0].PreviousId : slice.Head);
            return slice.Entries.Count > 0;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception exception)
        {
            Log.FeedFailed(_logger, _topic, exception);
            return false;
        }
    }
}
