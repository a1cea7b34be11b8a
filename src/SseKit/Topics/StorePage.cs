using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>A part of a topic that was read for one subscriber and is given to all who ask for the same: encoded once, however many.</summary>
internal sealed class StorePage(SseSlice slice) : IFrameRun
{
    private Encoded? _encoded;

    public string Head => slice.Head;

    public bool IsEnded => slice.IsEnded;

    public IReadOnlyList<SseEntry> Entries => slice.Entries;

    public SseTopicEvent About(int index) => new() { EventType = Entries[index].EventType ?? "", Key = Entries[index].Key };

    public ReadOnlyMemory<byte> Frames(int from, int to)
    {
        var (bytes, ends) = _encoded ??= Encode();
        var start = from == 0 ? 0 : ends[from - 1];
        return bytes.AsMemory(start, ends[to - 1] - start);
    }

    /// <summary>Whether the entries follow each other, the first of them the given id.</summary>
    public bool Continues(string after)
    {
        foreach (var entry in Entries)
        {
            if (!string.Equals(entry.PreviousId, after, StringComparison.Ordinal))
            {
                return false;
            }

            after = entry.Id;
        }

        return true;
    }

    private Encoded Encode()
    {
        var scratch = ScratchFrames.Rent();
        var ends = new int[Entries.Count];
        for (var i = 0; i < ends.Length; i++)
        {
            scratch.Write(Entries[i].Frame.Span);
            EventFrame.WriteEnd(scratch, Entries[i].Id);
            ends[i] = scratch.Written.Length;
        }

        return new Encoded(scratch.ReturnAsArray(), ends);
    }

    private sealed record Encoded(byte[] Bytes, int[] Ends);
}
