using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>
/// Which events a subscriber is given, and what its client is told of the place that it has come to by skipping the others. Only subscribers
/// that have a filter or want checkpoints have one; the rest do not pay for it.
/// </summary>
/// <param name="filter">Whether an event is given; null where all are.</param>
/// <param name="checkpoints">Whether the client is told its place while it waits.</param>
internal sealed class Selection(Func<SseTopicEvent, bool>? filter, bool checkpoints)
{
    private StorePage? _page;
    private int _pageIndex;
    private string? _checkpoint;

    // The id that the client has, where the last that it got came as a checkpoint.
    private string? _told;

    // Whether the reader stands behind events that its client has not seen, or at a place whose id the client was never given.
    private bool _isAhead;

    /// <summary>The reader begins at a place whose id its client is told there and then, or not.</summary>
    public void Begin(bool told) => _isAhead = !told;

    /// <summary>
    /// Finds the first run of events that are given, from <paramref name="at"/> on and before <paramref name="end"/>, which is further on; false
    /// when there is none. Moves to where the next look begins: no event is asked about twice.
    /// </summary>
    public bool TryTake(IFrameRun run, ref int at, int end, out ReadOnlyMemory<byte> frames)
    {
        var from = at;
        while (from < end && !Takes(run, from))
        {
            from++;
        }

        if (from == end)
        {
            (at, _isAhead, frames) = (end, true, default);
            return false;
        }

        var to = from + 1;
        while (to < end && Takes(run, to))
        {
            to++;
        }

        at = Math.Min(to + 1, end);
        _isAhead = to < at;
        frames = run.Frames(from, to);
        return true;
    }

    /// <summary>Whether an event is given that has no place in the log.</summary>
    public bool Takes(SseTopicEvent about) => filter is null || filter(about);

    /// <summary>Begins with a page of the store.</summary>
    public void Open(StorePage page) => (_page, _pageIndex) = (page, 0);

    /// <summary>Goes on in the page that was begun.</summary>
    public bool TryTakeFromPage(out ReadOnlyMemory<byte> frames)
    {
        frames = default;
        if (_pageIndex < _page!.Entries.Count && TryTake(_page, ref _pageIndex, _page.Entries.Count, out frames))
        {
            return true;
        }

        _page = null;
        return false;
    }

    /// <summary>
    /// The reader is about to wait, with everything handed out that it had for its client: so from now on the client may be told this place.
    /// </summary>
    public void StandAt(LogCursor cursor)
    {
        if (checkpoints && _isAhead && cursor.Id != Volatile.Read(ref _told))
        {
            Volatile.Write(ref _checkpoint, cursor.Id);
        }
    }

    /// <summary>Frames go out: a place from before them would send the client back.</summary>
    public void Forget(ReadOnlySpan<byte> frames)
    {
        Volatile.Write(ref _checkpoint, null);
        if (EventFrame.EndsWithId(frames))
        {
            Volatile.Write(ref _told, null);
        }
    }

    /// <summary>Writes the place, where the client does not have it yet.</summary>
    public bool TryWriteCheckpoint(FrameBuffer buffer)
    {
        if (Interlocked.Exchange(ref _checkpoint, null) is not { } id)
        {
            return false;
        }

        EventFrame.WriteEnd(buffer, id);
        Volatile.Write(ref _told, id);
        return true;
    }

    private bool Takes(IFrameRun run, int index) => filter is null || filter(run.About(index));
}
