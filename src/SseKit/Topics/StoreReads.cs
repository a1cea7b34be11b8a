using System.Diagnostics.CodeAnalysis;
using SseKit.Waiting;

namespace SseKit.Topics;

/// <summary>
/// Reads the store for subscribers that are behind what the node holds. They come in herds, after a deploy or a proxy's restart, and most ask
/// for the same: who asks for what is being read, or was a moment ago, gets that. The rest queue, so that a herd of strangers with ids of all
/// kinds does not crowd out the feeds. A page that is a moment old is as true as one that took that moment to arrive.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The semaphore's wait handle is never asked for; the timer is of one shot.")]
internal sealed class StoreReads(ISseBacklog backlog, TimeProvider time, SynchronizationContext? nobodys = null)
{
    private const int MostAtOnce = 16;
    private const int MostKept = 16;
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _slots = new(MostAtOnce);
    private readonly Dictionary<(string Topic, string? After, int Max), Reading> _readings = [];
    private readonly Queue<((string Topic, string? After, int Max) Key, Reading Reading, long Since)> _kept = [];
    private ITimer? _forget;

    public async ValueTask<StorePage> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken)
    {
        var (page, ownRead) = await ReadSharedAsync((topic, after, max), cancellationToken);

        // That nothing follows was true when the read began, which for somebody else's may be before this reader looked at the log: it would
        // wait for an event that the log has had since. The next read, whoever's, began after that look.
        return ownRead || page.Entries.Count > 0 || page.Head != after
            ? page
            : (await ReadSharedAsync((topic, after, max), cancellationToken)).Page;
    }

    private async ValueTask<(StorePage Page, bool OwnRead)> ReadSharedAsync((string Topic, string? After, int Max) key, CancellationToken cancellationToken)
    {
        Reading? reading;
        bool first;
        lock (_gate)
        {
            first = !_readings.TryGetValue(key, out reading);
            if (first)
            {
                _readings[key] = reading = new Reading();
            }

            reading!.Readers++;
        }

        if (first)
        {
            SharedWork.Start(static read => _ = read.Reads.ReadStoreAsync(read.Key, read.Reading), (Reads: this, Key: key, Reading: reading), nobodys);
        }

        try
        {
            return (await SharedTask.WaitAsync(reading.Page.Task, cancellationToken), first);
        }
        finally
        {
            Leave(key, reading);
        }
    }

    private async Task ReadStoreAsync((string Topic, string? After, int Max) key, Reading reading)
    {
        var kept = false;
        try
        {
            await _slots.WaitAsync(reading.Stop.Token);
            try
            {
                var page = new StorePage(await backlog.ReadAsync(key.Topic, key.After, key.Max, reading.Stop.Token));
                kept = Keep(key, reading, page);
                reading.Page.SetResult(page);
            }
            finally
            {
                _slots.Release();
            }
        }
        catch (Exception exception)
        {
            reading.Page.SetException(exception);

            // All who waited for it may have left.
            _ = reading.Page.Task.Exception;
        }

        if (!kept)
        {
            lock (_gate)
            {
                Remove(key, reading);
            }
        }
    }

    // Only what leads on from where it was asked for: where nothing was there may be something now. And when the store does not know an id,
    // what is kept of the topic may be of a past that it has lost: a reader would go round in it, from the gap to the page and back.
    private bool Keep((string Topic, string? After, int Max) key, Reading reading, StorePage page)
    {
        if (key.After is null || (page.Entries.Count == 0 && page.Head == key.After))
        {
            return false;
        }

        lock (_gate)
        {
            if (page.Entries.Count == 0 || !page.Continues(key.After))
            {
                for (var kept = _kept.Count; kept > 0; kept--)
                {
                    var one = _kept.Dequeue();
                    if (one.Key.Topic == key.Topic)
                    {
                        Remove(one.Key, one.Reading);
                    }
                    else
                    {
                        _kept.Enqueue(one);
                    }
                }

                return false;
            }

            _kept.Enqueue((key, reading, time.GetTimestamp()));
            while (_kept.Count > MostKept)
            {
                Forget();
            }

            _forget ??= time.CreateTimer(static reads => ((StoreReads)reads!).ForgetOld(), this, KeptFor, Timeout.InfiniteTimeSpan);
            return true;
        }
    }

    private void ForgetOld()
    {
        lock (_gate)
        {
            while (_kept.TryPeek(out var oldest) && time.GetElapsedTime(oldest.Since) >= KeptFor)
            {
                Forget();
            }

            _forget!.Dispose();
            _forget = _kept.Count == 0
                ? null
                : time.CreateTimer(static reads => ((StoreReads)reads!).ForgetOld(), this, KeptFor, Timeout.InfiniteTimeSpan);
        }
    }

    private void Forget()
    {
        var (key, reading, _) = _kept.Dequeue();
        Remove(key, reading);
    }

    private void Leave((string Topic, string? After, int Max) key, Reading reading)
    {
        lock (_gate)
        {
            if (--reading.Readers > 0 || reading.Page.Task.IsCompleted)
            {
                return;
            }

            // Nobody waits for it any more; who comes now reads anew.
            Remove(key, reading);
        }

        _ = reading.Stop.CancelAsync();
    }

    private void Remove((string Topic, string? After, int Max) key, Reading reading)
    {
        if (_readings.TryGetValue(key, out var current) && current == reading)
        {
            _readings.Remove(key);
        }
    }

    [SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without a timer holds nothing; the store may still look at it.")]
    private sealed class Reading
    {
        public CancellationTokenSource Stop { get; } = new();

        public TaskCompletionSource<StorePage> Page { get; } = new();

        public int Readers { get; set; }
    }
}
