using System.Runtime.CompilerServices;
using SseKit.Diagnostics;
using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>
/// What one subscriber receives, as whole frames. Whatever it asked for, it first gets a position, with the word that belongs to it (nothing,
/// the start position, a gap, a snapshot), and then what follows that position: from this node's log, or from the store for as long as the
/// log does not reach back that far. There is no step from replay to live; being behind and being up to date are the same loop.
/// </summary>
internal sealed class TopicSubscription(
    TopicRequest request, Func<string, CancellationToken, ValueTask<TopicLease>> open, StoreReads? store, SseMetrics metrics)
{
    private const int PageSize = 256;

    private TopicLease _lease = null!;
    private LogCursor _cursor = null!;

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Here and not around it: an iterator around this one would cost each subscriber 300 bytes.
        using var lease = _lease = await open(request.Topic, cancellationToken);
        _cursor = new LogCursor(lease.Log);
        using var cancelled = cancellationToken.UnsafeRegister(static cursor => ((LogCursor)cursor!).Cancel(), _cursor);

        var from = request.LastEventId;
        var gap = from is not null && !FieldRules.IsTopicId(from) ? GapFrame.Malformed : null;
        var ifUnknown = GapFrame.Unknown;
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

                request.Selection?.Begin(told: gap is not null || request.SendStartPosition);
                from = action == SseGapAction.Replay ? await EarliestIdAsync(cancellationToken) : _lease.Log.Newest().Id;
                if (action == SseGapAction.Snapshot)
                {
                    await foreach (var frame in SnapshotAsync(gap, requested, from, cancellationToken))
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

                var slice = await ReadStoreAsync(from, PageSize, cancellationToken);
                if (slice.Entries.Count > 0 && slice.Continues(from))
                {
                    from = slice.Entries[^1].Id;
                    ifUnknown = GapFrame.Trimmed;
                    if (request.Selection is null)
                    {
                        yield return slice.Frames(0, slice.Entries.Count);
                    }
                    else
                    {
                        request.Selection.Open(slice);
                        while (request.Selection.TryTakeFromPage(out var wanted))
                        {
                            yield return wanted;
                        }
                    }

                    if (slice.Entries[^1].IsEnd)
                    {
                        yield break;
                    }
                }
                else if (slice.IsEnded && slice.Head == from)
                {
                    yield break;
                }
                else if (slice.Entries.Count == 0 && slice.Head == from)
                {
                    // The store has nothing after it and the log has not got that far: it is about to.
                    await CatchUpAsync(newest);
                    if (cancellationToken.IsCancellationRequested)
                    {
                        yield break;
                    }
                }
                else
                {
                    gap = ifUnknown;
                }
            }

            if (gap is not null)
            {
                continue;
            }

            CursorRead read;
            while ((read = _cursor.Read(out var frames, request.Selection)) != CursorRead.Lapped)
            {
                if (read == CursorRead.Frames)
                {
                    yield return frames;
                }
                else if (read == CursorRead.Ended)
                {
                    yield break;
                }
                else if (read == CursorRead.Skipped)
                {
                    await GiveWayAsync();
                }
                else
                {
                    request.Selection?.StandAt(_cursor);
                    await _cursor.WaitAsync();
                }

                if (cancellationToken.IsCancellationRequested)
                {
                    yield break;
                }
            }

            // Too slow for the log, or the log broke off. The store may still have it; if not, that is a gap in mid-stream.
            from = _cursor.Id;
            ifUnknown = _cursor.IsCutOff ? GapFrame.Lost : GapFrame.Trimmed;
        }
    }

    /// <summary>Lets others have the thread: where events come by faster than a filter rejects them, skipping would have no end.</summary>
    private static async ValueTask GiveWayAsync() => await Task.Yield();

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
            _cursor.MoveTo(place);
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
        _cursor.MoveTo(newest);
        _lease.Nudge();
        await _cursor.WaitForGrowthAsync();
    }

    private async ValueTask<string> EarliestIdAsync(CancellationToken cancellationToken)
    {
        if (store is null)
        {
            return _lease.Log.Earliest().Id;
        }

        var slice = await ReadStoreAsync(after: null, max: 1, cancellationToken);
        return slice.Entries.Count > 0 ? slice.Entries[0].PreviousId : slice.Head;
    }

    private async ValueTask<StorePage> ReadStoreAsync(string? after, int max, CancellationToken cancellationToken)
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
        string? gap, string? requested, string position, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        byte[]? held = gap is null ? null : GapFrame.Encode(request.GapEventType, gap, requested!, id: null)[..^1];
        await foreach (var item in SnapshotOf(request, cancellationToken).WithCancellation(cancellationToken))
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
            request.Selection?.Begin(told: true);
            yield return End(held, position);
        }
        else if (request.SendStartPosition)
        {
            yield return EventFrame.Position(position);
        }
    }

    private static IAsyncEnumerable<SseEvent> SnapshotOf(TopicRequest request, CancellationToken cancellationToken) =>
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
