using SseKit.Diagnostics;
using SseKit.Waiting;
using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>
/// What one subscriber receives, as whole frames. Whatever it asked for, it first gets a position, with the word that belongs to it (nothing,
/// the start position, a gap, a snapshot), and then what follows that position: from this node's log, or from the store for as long as the
/// log does not reach back that far. There is no step from replay to live; being behind and being up to date are the same loop.
/// </summary>
/// <remarks>
/// What may need time on the way to the log is an iterator, which is gone once the log is reached: who waits for the log's next event holds a
/// cursor and nothing else.
/// </remarks>
internal sealed class TopicSubscription(
    TopicRequest request,
    Func<string, CancellationToken, ValueTask<TopicLease>> open,
    StoreReads? store,
    SseMetrics metrics,
    CancellationToken cancellationToken) : FrameSource
{
    private const int PageSize = 256;

    // A copy: the request is not looked at while events flow.
    private readonly Selection? _selection = request.Selection;
    private LogCursor? _cursor;
    private TopicLease _lease;
    private TopicFrames? _onTheWay;
    private ReadOnlyMemory<byte> _frames;
    private bool _isPlaced;
    private bool _isOver;

    public override bool IsBusy => _onTheWay?.IsBusy == true;

    /// <summary>The frames that it has gone on to.</summary>
    public ReadOnlyMemory<byte> Current => _frames;

    public override int Events => EventFrame.Count(_frames.Span);

    public override SourceStep MoveNext()
    {
        while (!_isOver)
        {
            if (!_isPlaced)
            {
                _onTheWay ??= new TopicFrames(PlaceAsync(_cursor), cancellationToken);
            }

            if (_onTheWay is not null)
            {
                var step = _onTheWay.MoveNext();
                if (step != SourceStep.Ended)
                {
                    _frames = step == SourceStep.Frames ? _onTheWay.Current : default;
                    return step;
                }

                _onTheWay = null;

                // Who has stopped it and waits to dispose of it takes this for its last step.
                _isOver |= cancellationToken.IsCancellationRequested;
                continue;
            }

            switch (_cursor!.Read(out _frames, _selection))
            {
                case CursorRead.Frames:
                    return SourceStep.Frames;
                case CursorRead.Empty:
                    _selection?.StandAt(_cursor);
                    return SourceStep.Pending;
                case CursorRead.Skipped:
                    _onTheWay = new TopicFrames(GiveWayAsync(), cancellationToken);
                    break;
                case CursorRead.Lapped:
                    // Too slow for the log, or the log broke off. The store may still have it; if not, that is a gap in mid-stream.
                    _isPlaced = false;
                    break;
                default:
                    _isOver = true;
                    break;
            }
        }

        return SourceStep.Ended;
    }

    public override bool TryWait(IWakeable reader) => _onTheWay?.TryWait(reader) ?? _cursor!.TryWait(reader);

    public override void Write(FrameBuffer buffer)
    {
        _selection?.Forget(_frames.Span);
        buffer.WriteLasting(_frames);
    }

    public override void WriteKeepAlive(FrameBuffer buffer)
    {
        if (_selection?.TryWriteCheckpoint(buffer) != true)
        {
            base.WriteKeepAlive(buffer);
        }
    }

    public override bool IsTransient(Exception exception) => exception is BacklogException;

    public override async ValueTask DisposeAsync()
    {
        try
        {
            if (_onTheWay is not null)
            {
                await _onTheWay.DisposeAsync();
            }
        }
        finally
        {
            if (_cursor is not null)
            {
                _cursor.StopWaiting();
                _lease.Dispose();
            }
        }
    }

    /// <summary>Brings the cursor to a place in the log: where the request wants it, or back to where it has been.</summary>
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> PlaceAsync(LogCursor? lapped)
    {
        if (_cursor is null)
        {
            _lease = await open(request.Topic, cancellationToken);
            _cursor = new LogCursor(_lease.Log);
        }

        var from = lapped is null ? request.LastEventId : lapped.Id;
        var ifUnknown = lapped is null ? GapFrame.Unknown : lapped.IsCutOff ? GapFrame.Lost : GapFrame.Trimmed;
        var gap = from is not null && !FieldRules.IsTopicId(from) ? GapFrame.Malformed : null;
        while (!cancellationToken.IsCancellationRequested)
        {
            if (from is null || gap is not null)
            {
                var action = gap is null ? ActionOf(request.Start) : request.OnGap;
                var requested = from;
                if (gap is not null)
                {
                    metrics.Gap(gap);
                }

                _selection?.Begin(told: gap is not null || request.SendStartPosition);
                from = action == SseGapAction.Replay ? await EarliestIdAsync() : _lease.Log.Newest().Id;
                if (action == SseGapAction.Snapshot)
                {
                    await foreach (var frame in SnapshotAsync(gap, requested, from))
                    {
                        yield return frame;
                    }
                }
                else if (gap is not null)
                {
                    yield return GapFrame.Encode(request.GapEventType, gap, requested!, from);
                }
                else if (request.SendStartPosition)
                {
                    yield return EventFrame.Position(from);
                }

                gap = null;
                ifUnknown = GapFrame.Trimmed;
            }

            // Behind what the log holds: page through the store until the two meet.
            while (true)
            {
                // Before both looks: whatever the log gets from here on ends the wait for it to catch up.
                var newest = _lease.Log.Newest();
                if (TryPlace(from, ref gap) || gap is not null)
                {
                    break;
                }

                var slice = await ReadStoreAsync(from, PageSize);
                if (slice.Entries.Count > 0 && slice.Continues(from))
                {
                    from = slice.Entries[^1].Id;
                    ifUnknown = GapFrame.Trimmed;
                    if (_selection is null)
                    {
                        yield return slice.Frames(0, slice.Entries.Count);
                    }
                    else
                    {
                        _selection.Open(slice);
                        while (_selection.TryTakeFromPage(out var wanted))
                        {
                            yield return wanted;
                        }
                    }

                    if (slice.Entries[^1].IsEnd)
                    {
                        _isOver = true;
                        yield break;
                    }
                }
                else if (slice.IsEnded && slice.Head == from)
                {
                    _isOver = true;
                    yield break;
                }
                else if (slice.Entries.Count == 0 && slice.Head == from)
                {
                    // The store has nothing after it and the log has not got that far: it is about to.
                    await CatchUpAsync(newest);
                    if (cancellationToken.IsCancellationRequested)
                    {
                        _isOver = true;
                        yield break;
                    }
                }
                else
                {
                    gap = ifUnknown;
                }
            }

            if (gap is null)
            {
                _isPlaced = true;
                yield break;
            }
        }

        _isOver = true;
    }

    /// <summary>Lets others have the thread: where events come by faster than a filter rejects them, skipping would have no end.</summary>
    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> GiveWayAsync()
    {
        await Task.Yield();
        yield break;
    }

    private static SseGapAction ActionOf(SseStart start) => start switch
    {
        SseStart.Earliest => SseGapAction.Replay,
        SseStart.Snapshot => SseGapAction.Snapshot,
        _ => SseGapAction.Live,
    };

    /// <summary>Places the cursor behind an id that the log holds. With no store behind the log, what it does not hold is a gap.</summary>
    private bool TryPlace(string id, ref string? gap)
    {
        var found = _lease.Log.Find(id, out var place);
        if (found == TopicLookup.Found)
        {
            _cursor!.MoveTo(place);
            return true;
        }

        if (store is null)
        {
            gap = found == TopicLookup.Trimmed ? GapFrame.Trimmed : GapFrame.Unknown;
        }

        return false;
    }

    private async ValueTask CatchUpAsync(LogPlace newest)
    {
        var growth = new AsyncSignal();
        _cursor!.MoveTo(newest);
        _lease.Nudge();
        if (_cursor.TryWaitForGrowth(growth))
        {
            using var cancelled = growth.SetWhen(cancellationToken);
            await growth.WaitAsync();
            _cursor.StopWaiting();
        }
    }

    private async ValueTask<string> EarliestIdAsync()
    {
        if (store is null)
        {
            return _lease.Log.Earliest().Id;
        }

        var slice = await ReadStoreAsync(after: null, max: 1);
        return slice.Entries.Count > 0 ? slice.Entries[0].PreviousId : slice.Head;
    }

    private async ValueTask<StorePage> ReadStoreAsync(string? after, int max)
    {
        try
        {
            return await store!.ReadAsync(request.Topic, after, max, cancellationToken);
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BacklogException(request.Topic, exception);
        }
    }

    /// <summary>
    /// The gap, if there is one, and the snapshot. The position goes out with the last event only: a client that is cut off half-way through
    /// is to begin again, not to skip the rest. So each event is held until it is known whether another one comes.
    /// </summary>
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> SnapshotAsync(
        string? gap, string? requested, string position)
    {
        byte[]? held = gap is null ? null : GapFrame.Encode(request.GapEventType, gap, requested!, id: null)[..^1];
        await foreach (var item in SnapshotOf().WithCancellation(cancellationToken))
        {
            if (item.EventId is not null)
            {
                throw new InvalidOperationException(
                    $"The snapshot of topic '{request.Topic}' gave an event with an EventId. Leave it out: a snapshot's position is the topic's. Put your own id into the data.");
            }

            if (item.IsComment)
            {
                yield return EventFrame.Encode(item, request.Json);
                continue;
            }

            var next = EncodeBody(item);
            if (held is not null)
            {
                yield return End(held, id: null);
            }

            held = next;
        }

        if (held is not null)
        {
            _selection?.Begin(told: true);
            yield return End(held, position);
        }
        else if (request.SendStartPosition)
        {
            yield return EventFrame.Position(position);
        }
    }

    private IAsyncEnumerable<SseEvent> SnapshotOf() =>
        request.Snapshot!(cancellationToken)
        ?? throw new InvalidOperationException($"The snapshot of topic '{request.Topic}' is null. Return a sequence; it may be empty.");

    private byte[] EncodeBody(in SseEvent item)
    {
        var scratch = ScratchFrames.Rent();
        EventFrame.WriteBody(scratch, item, request.Json);
        return scratch.ReturnAsArray();
    }

    private static byte[] End(byte[] body, string? id)
    {
        var scratch = ScratchFrames.Rent();
        scratch.Write(body);
        EventFrame.WriteEnd(scratch, id);
        return scratch.ReturnAsArray();
    }
}
