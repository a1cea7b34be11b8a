using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>A part of a topic that was read for one subscriber and is given to all who ask for the same: encoded once, however many.</summary>
internal sealed class StorePage(SseSlice slice)
{
    private byte[]? _frames;

    public string Head => slice.Head;

    public bool IsEnded => slice.IsEnded;

    public IReadOnlyList<SseEntry> Entries => slice.Entries;

    /// <summary>The entries as whole frames.</summary>
    public ReadOnlyMemory<byte> Frames => _frames ??= Encode();

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

    private byte[] Encode()
    {
        var scratch = ScratchFrames.Rent();
        foreach (var entry in Entries)
        {
            scratch.Write(entry.Frame.Span);
            EventFrame.WriteEnd(scratch, entry.Id);
        }

        return scratch.ReturnAsArray();
    }
}
