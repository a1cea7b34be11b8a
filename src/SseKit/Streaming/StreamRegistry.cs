namespace SseKit.Streaming;

/// <summary>Why a stream is ended from outside.</summary>
internal enum StreamEnd
{
    /// <summary>The host stops.</summary>
    Stopping,

    /// <summary>It has been open for as long as it may be, or its user's ticket has expired.</summary>
    Aged,

    /// <summary>The app ended it.</summary>
    Ended,
}

/// <summary>A stream that ends when the host stops, whoever writes it. Ended from any thread; must return at once.</summary>
internal interface IDrained
{
    /// <summary>Who came before it; the registry's business. A node of a list for each would be larger.</summary>
    IDrained? Earlier { get; set; }

    /// <summary>Who came after it; the registry's business.</summary>
    IDrained? Later { get; set; }

    /// <summary>Ends the stream.</summary>
    /// <param name="why">The reason.</param>
    /// <param name="last">The event that tells the client, if any.</param>
    void End(StreamEnd why, SseEvent? last);
}

/// <summary>An open stream of SseKit's own as the registry knows it.</summary>
internal interface IOpenStream : IDrained
{
    /// <summary>The key by which the app limits and ends streams, if any.</summary>
    string? Key { get; }

    /// <summary>The timestamp at which it has been open for long enough, or the largest there is.</summary>
    long Expires { get; }

    /// <summary>Whether it has waited for its client to read for too long. Called under the registry's gate.</summary>
    bool IsStalled(long now);

    /// <summary>Ends the stream if it has been open, or waits for its client to read, for too long.</summary>
    void CheckTime(long now);
}

/// <summary>
/// The open streams of a host, in the order in which they came: for limits, for ending those of one key, and for the drain. A limit refuses the
/// new one and never evicts an old one, which would only come back and evict the next. Streams of others are here for the drain alone.
/// </summary>
internal sealed class StreamRegistry
{
    private static readonly TimeSpan DrainTick = TimeSpan.FromMilliseconds(50);

    // One look a second at all streams is cheaper than a timer, or a place in a queue of deadlines, for each write.
    private static readonly TimeSpan CheckTick = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, HashSet<IOpenStream>> _byKey = new(StringComparer.Ordinal);
    private readonly SseOptions _options;
    private readonly TimeProvider _time;
    private ITimer? _check;
    private ITimer? _drain;
    private long _drainStarted;
    private IDrained[] _draining = [];
    private IDrained? _first;
    private IDrained? _last;
    private int _own;
    private int _drained;

    // No stream expires before this. One that has left may make it too early: the next look mends it.
    private long _firstExpires = long.MaxValue;
    private int _waitingForClients;

    public StreamRegistry(SseOptions options, TimeProvider time, CancellationToken stopping)
    {
        _options = options;
        _time = time;
        stopping.UnsafeRegister(static registry => ((StreamRegistry)registry!).BeginDrain(), this);
    }

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _own;
            }
        }
    }

    /// <summary>Takes a stream in; false when it is one too many.</summary>
    public bool TryEnter(IOpenStream stream)
    {
        lock (_gate)
        {
            if (_own >= _options.MaxConnections)
            {
                return false;
            }

            if (stream.Key is { } key)
            {
                if (!_byKey.TryGetValue(key, out var ofKey))
                {
                    _byKey.Add(key, ofKey = []);
                }

                if (ofKey.Count >= _options.MaxConnectionsPerKey)
                {
                    return false;
                }

                ofKey.Add(stream);
            }

            _check ??= _time.CreateTimer(static registry => ((StreamRegistry)registry!).Check(), this, CheckTick, CheckTick);
            _firstExpires = Math.Min(_firstExpires, stream.Expires);
            _own++;
            Add(stream);
            return true;
        }
    }

    /// <summary>Takes in a stream of somebody else's.</summary>
    public void Enter(IDrained stream)
    {
        lock (_gate)
        {
            Add(stream);
        }
    }

    public void Leave(IDrained drained)
    {
        lock (_gate)
        {
            Remove(drained);
            if (drained is not IOpenStream stream)
            {
                return;
            }

            if (--_own == 0)
            {
                _check?.Dispose();
                _check = null;
            }

            if (stream.Key is { } key && _byKey.TryGetValue(key, out var ofKey) && ofKey.Remove(stream) && ofKey.Count == 0)
            {
                _byKey.Remove(key);
            }
        }
    }

    /// <summary>A stream begins to wait for its client to read.</summary>
    public void WaitBegins() => Interlocked.Increment(ref _waitingForClients);

    /// <summary>It waits no longer.</summary>
    public void WaitEnds() => Interlocked.Decrement(ref _waitingForClients);

    /// <summary>Ends the streams of a key; gives how many they were.</summary>
    public int End(string key, SseEvent? last)
    {
        IOpenStream[] streams;
        lock (_gate)
        {
            streams = _byKey.TryGetValue(key, out var ofKey) ? [.. ofKey] : [];
        }

        foreach (var stream in streams)
        {
            stream.End(StreamEnd.Ended, last);
        }

        return streams.Length;
    }

    private void Check()
    {
        var now = _time.GetTimestamp();
        List<IOpenStream>? overdue = null;
        lock (_gate)
        {
            // Thousands of idle streams are not looked at for nothing.
            if (now < _firstExpires && Volatile.Read(ref _waitingForClients) == 0)
            {
                return;
            }

            _firstExpires = long.MaxValue;
            foreach (var drained in All())
            {
                if (drained is not IOpenStream stream)
                {
                    continue;
                }

                if (now >= stream.Expires || stream.IsStalled(now))
                {
                    (overdue ??= []).Add(stream);
                }

                if (now < stream.Expires)
                {
                    _firstExpires = Math.Min(_firstExpires, stream.Expires);
                }
            }
        }

        // Outside the gate: aborting a request runs code of the app.
        overdue?.ForEach(stream => stream.CheckTime(now));
    }

    /// <summary>Ends all streams, the oldest first, spread over the drain window. Those that come from now on see for themselves.</summary>
    private void BeginDrain()
    {
        lock (_gate)
        {
            _draining = [.. All()];
            _drainStarted = _time.GetTimestamp();
            if (_options.DrainWindow > TimeSpan.Zero && _draining.Length > 0)
            {
                _drain = _time.CreateTimer(static registry => ((StreamRegistry)registry!).Drain(), this, DrainTick, DrainTick);
            }
        }

        Drain();
    }

    private void Add(IDrained stream)
    {
        stream.Earlier = _last;
        _ = _last is null ? _first = stream : _last.Later = stream;
        _last = stream;
    }

    private void Remove(IDrained stream)
    {
        _ = stream.Earlier is { } earlier ? earlier.Later = stream.Later : _first = stream.Later;
        _ = stream.Later is { } later ? later.Earlier = stream.Earlier : _last = stream.Earlier;
        (stream.Earlier, stream.Later) = (null, null);
    }

    private IEnumerable<IDrained> All()
    {
        for (var stream = _first; stream is not null; stream = stream.Later)
        {
            yield return stream;
        }
    }

    private void Drain()
    {
        ReadOnlySpan<IDrained> due;
        lock (_gate)
        {
            var share = _options.DrainWindow > TimeSpan.Zero ? Math.Min(1, _time.GetElapsedTime(_drainStarted) / _options.DrainWindow) : 1;
            var upTo = Math.Max(_drained, (int)Math.Ceiling(_draining.Length * share));
            due = _draining.AsSpan(_drained, upTo - _drained);
            _drained = upTo;
            if (_drained == _draining.Length)
            {
                _drain?.Dispose();
            }
        }

        foreach (var stream in due)
        {
            stream.End(StreamEnd.Stopping, _options.DrainEvent);
        }
    }
}
