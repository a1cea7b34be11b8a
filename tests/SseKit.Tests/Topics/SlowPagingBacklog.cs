namespace SseKit.Tests.Topics;

/// <summary>
/// A store as slow, as stingy with its pages and as unlucky as <see cref="ISseBacklog"/> allows: every call can be held up or made to throw
/// before and after its effect, bells can be missed, and the data can be trimmed, wiped, or fail over to a replica that lacks the last writes.
/// </summary>
internal sealed class SlowPagingBacklog(int maxEvents = 1_000, string? name = null) : ISseBacklog
{
    public enum Moment
    {
        BeforeAppend,
        AfterAppend,
        BeforeRead,
        AfterRead,
        BeforeWatch,
        AfterWatch,
    }

    private readonly Lock _gate = new();
    private readonly string _name = name ?? Guid.NewGuid().ToString("N")[..16];
    private readonly Dictionary<string, Stored> _topics = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Action> _watchers = new(StringComparer.Ordinal);
    private long _given;

    /// <summary>Awaited around the effect of every call; what it throws, the call throws.</summary>
    public Func<Moment, CancellationToken, ValueTask> Pause { get; set; } = static async (_, stop) =>
    {
        await Task.Yield();
        stop.ThrowIfCancellationRequested();
    };

    /// <summary>How many entries a read gives, of so many asked for.</summary>
    public Func<int, int> PageSize { get; set; } = static asked => Math.Min(asked, 3);

    /// <summary>Whether an append rings.</summary>
    public Func<bool> Rings { get; set; } = static () => true;

    /// <summary>Told of entries in the moment in which they are stored.</summary>
    public Action<string, IReadOnlyList<SseEntry>> OnStored { get; set; } = static (_, _) => { };

    /// <summary>How many watches are open.</summary>
    public int Watches
    {
        get
        {
            lock (_gate)
            {
                return _watchers.Values.Sum(grown => grown.GetInvocationList().Length);
            }
        }
    }

    public async ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) =>
        (await AppendAsync(topic, [append], cancellationToken))[0];

    public async ValueTask<IReadOnlyList<SseEntry>> AppendAsync(string topic, IReadOnlyList<SseAppend> appends, CancellationToken cancellationToken)
    {
        await Pause(Moment.BeforeAppend, cancellationToken);
        var entries = new List<SseEntry>();
        Action? grown;
        lock (_gate)
        {
            var stored = StoredOf(topic);
            foreach (var append in appends)
            {
                entries.Add(new SseEntry { Id = NextId(), PreviousId = stored.Head, Frame = append.Frame, EventType = append.EventType, Key = append.Key });
                stored.Entries.Add(entries[^1]);
            }

            stored.First = Math.Max(stored.First, stored.Entries.Count - maxEvents);
            OnStored(topic, entries);
            _watchers.TryGetValue(topic, out grown);
        }

        if (Rings())
        {
            grown?.Invoke();
        }

        // It is stored: the token can't take that back.
        await Pause(Moment.AfterAppend, CancellationToken.None);
        return entries;
    }

    public async ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken)
    {
        await Pause(Moment.BeforeRead, cancellationToken);
        var slice = Look(topic, after, max == 0 ? 0 : Math.Clamp(PageSize(max), 1, max));
        await Pause(Moment.AfterRead, cancellationToken);
        return slice;
    }

    public async ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken)
    {
        await Pause(Moment.BeforeWatch, cancellationToken);
        Action bell = () => grown();
        lock (_gate)
        {
            _watchers[topic] = _watchers.TryGetValue(topic, out var others) ? others + bell : bell;
        }

        var watch = new Watch(this, topic, bell);
        try
        {
            await Pause(Moment.AfterWatch, cancellationToken);
        }
        catch
        {
            await watch.DisposeAsync();
            throw;
        }

        return watch;
    }

    /// <summary>What a read finds, at once and whatever the store pretends.</summary>
    public SseSlice Look(string topic, string? after, int max)
    {
        lock (_gate)
        {
            var stored = StoredOf(topic);
            var from = stored.First;
            if (after is not null && stored.Entries.FindIndex(stored.First, entry => entry.Id == after) is var at and >= 0)
            {
                from = at + 1;
            }
            else if (after is not null && after == stored.Base)
            {
                from = stored.First;
            }
            else if (after is not null && after == stored.Head)
            {
                from = stored.Entries.Count;
            }

            return new SseSlice { Head = stored.Head, Entries = stored.Entries.GetRange(from, Math.Min(max, stored.Entries.Count - from)) };
        }
    }

    /// <summary>Trims a topic to its newest events.</summary>
    public void Trim(string topic, int kept)
    {
        lock (_gate)
        {
            var stored = StoredOf(topic);
            stored.First = Math.Max(stored.First, stored.Entries.Count - kept);
        }
    }

    /// <summary>All data is gone, as after a restart without persistence.</summary>
    public void Wipe()
    {
        lock (_gate)
        {
            _topics.Clear();
        }
    }

    /// <summary>A replica takes over that has not seen the last writes of each topic, nor the trimming that went with them.</summary>
    public void FailOver(int lost)
    {
        lock (_gate)
        {
            foreach (var stored in _topics.Values)
            {
                var gone = Math.Min(lost, stored.Entries.Count);
                stored.Entries.RemoveRange(stored.Entries.Count - gone, gone);
                stored.First = Math.Max(0, stored.First - gone);
            }
        }
    }

    public void Ring(string topic)
    {
        Action? grown;
        lock (_gate)
        {
            _watchers.TryGetValue(topic, out grown);
        }

        grown?.Invoke();
    }

    // Counted over everything that ever was: neither a wipe nor a fail-over gives an id again.
    private string NextId() => $"{_name}.{++_given}";

    private Stored StoredOf(string topic)
    {
        if (!_topics.TryGetValue(topic, out var stored))
        {
            _topics.Add(topic, stored = new Stored(NextId()));
        }

        return stored;
    }

    private void Unwatch(string topic, Action bell)
    {
        lock (_gate)
        {
            if (_watchers[topic] - bell is { } others)
            {
                _watchers[topic] = others;
            }
            else
            {
                _watchers.Remove(topic);
            }
        }
    }

    private sealed class Stored(string origin)
    {
        public List<SseEntry> Entries { get; } = [];

        /// <summary>The index of the earliest entry that is still kept.</summary>
        public int First { get; set; }

        public string Head => Entries.Count == 0 ? origin : Entries[^1].Id;

        public string Base => First == 0 ? origin : Entries[First - 1].Id;
    }

    private sealed class Watch(SlowPagingBacklog store, string topic, Action bell) : IAsyncDisposable
    {
        private int _disposed;

        public ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                store.Unwatch(topic, bell);
            }

            return default;
        }
    }
}
