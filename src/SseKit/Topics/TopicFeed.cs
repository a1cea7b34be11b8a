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

    // Events that are not kept, between their arrival and the next look at the store. As many as a log has of them.
    private readonly Queue<SseAppend> _heard = [];
    private readonly Lock _heardGate = new();
    private readonly AsyncSignal _look = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<FeedLog> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ISseBacklog _backlog;
    private readonly string _topic;
    private readonly SseOptions _options;
    private readonly TopicRetention _retention;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private bool _mayHaveGrown = true;
    private bool _failing;

    public TopicFeed(ISseBacklog backlog, string topic, SseOptions options, TimeProvider time, ILogger logger)
    {
        _backlog = backlog;
        _topic = topic;
        _options = options;
        _retention = TopicRetention.Of(options, topic);
        _time = time;
        _logger = logger;
    }

    /// <summary>Completes with the log once the store has been read for the first time, or fails with what the store threw.</summary>
    public Task<FeedLog> Opened => _opened.Task;

    /// <summary>How many read it. Kept by <see cref="TopicFeeds"/>, under its gate.</summary>
    public int Readers { get; set; }

    /// <summary>Begins to read. Once, and not under a lock: the store is called here, and may be slow to give the thread back.</summary>
    /// <param name="nobodys">See <see cref="SharedWork"/>.</param>
    public void Start(SynchronizationContext? nobodys)
    {
        // The first subscriber's request must not be what the feed runs in for the rest of its life.
        using (ExecutionContext.SuppressFlow())
        {
            SharedWork.Start(static feed => _ = feed.RunAsync(), this, nobodys);
        }
    }

    /// <summary>Asks the feed to look at the store now.</summary>
    public void Nudge()
    {
        Volatile.Write(ref _mayHaveGrown, true);
        _look.Set();
    }

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
            await using var listening = _backlog is ISseRelay relay ? await relay.ListenAsync(_topic, Hear, _stop.Token) : null;
            var log = await OpenAsync();
            _opened.SetResult(log);
            await using var poll = _time.CreateTimer(
                static feed => ((TopicFeed)feed!).Nudge(), this, _options.BacklogPollInterval, _options.BacklogPollInterval);
            while (!_stop.IsCancellationRequested)
            {
                log.TrimByAge();

                // Taken before the look: what its sender had published before is in the store by then, and comes first.
                var heard = TakeHeard();
                var more = Interlocked.Exchange(ref _mayHaveGrown, false) && await FollowAsync(log);
                foreach (var item in heard)
                {
                    log.AddEphemeral(item.Frame.Span, item.EventType, item.Key);
                }

                if (more)
                {
                    Volatile.Write(ref _mayHaveGrown, true);
                }
                else
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

    private void Hear(SseAppend item)
    {
        lock (_heardGate)
        {
            // A store that stands still must not pile them up.
            if (_heard.Count == EphemeralChain.MostFrames)
            {
                _heard.Dequeue();
            }

            _heard.Enqueue(item);
        }

        _look.Set();
    }

    private SseAppend[] TakeHeard()
    {
        lock (_heardGate)
        {
            if (_heard.Count == 0)
            {
                return [];
            }

            SseAppend[] heard = [.. _heard];
            _heard.Clear();
            return heard;
        }
    }

    /// <summary>
    /// Begins the log with what the store has, so that a herd that comes back finds it here. A store that keeps much more than a node does
    /// would have to be read for long to find its end: of such a one the log begins with what comes next.
    /// </summary>
    private async ValueTask<FeedLog> OpenAsync()
    {
        var slice = await _backlog.ReadAsync(_topic, after: null, PageSize, _stop.Token);
        var log = LogBefore(slice);

        // A quarter more than is kept, since stores may trim in strides.
        var events = _retention.MaxEvents * 5L / 4;
        var bytes = _retention.MaxBytes * 5 / 4;
        while (slice.Entries.Count > 0 && log.TryAppend(slice.Entries))
        {
            events -= slice.Entries.Count;
            bytes -= slice.Entries.Sum(entry => (long)entry.Frame.Length);
            if (slice.Entries[^1].Id == slice.Head)
            {
                return log;
            }

            if (events <= 0 || bytes <= 0)
            {
                break;
            }

            slice = await _backlog.ReadAsync(_topic, slice.Entries[^1].Id, PageSize, _stop.Token);
        }

        return log.Newest().Id == slice.Head ? log : LogBefore(slice with { Entries = [] });
    }

    private FeedLog LogBefore(SseSlice slice) => slice.Entries.Count > 0
        ? new(slice.Entries[0].PreviousId, _retention, _time)
        : new(slice.Head, _retention, _time, slice.IsEnded);

    /// <summary>Reads a page; false when there was none.</summary>
    private async ValueTask<bool> FollowAsync(FeedLog log)
    {
        try
        {
            var newest = log.Newest().Id;
            var slice = await _backlog.ReadAsync(_topic, newest, PageSize, _stop.Token);
            _failing = false;
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

            var (before, isEnded) = slice.Entries.Count > 0 ? (slice.Entries[0].PreviousId, false) : (slice.Head, slice.IsEnded);
            log.BreakTo(before, isEnded);
            return slice.Entries.Count > 0;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception exception)
        {
            // Once, however long it lasts: each topic would say it every few seconds.
            if (!_failing)
            {
                _failing = true;
                Log.FeedFailed(_logger, _topic, exception);
            }

            return false;
        }
    }
}
