using System.Text.Json;
using SseKit.Wire;

namespace SseKit.Topics;

/// <summary>What an event must be to be published, said for one alone and for each of several.</summary>
internal static class PublishedEvent
{
    /// <summary>What speaks against it before it is encoded.</summary>
    public static string? Fault(in SseEvent item) => item switch
    {
        { EventId: not null } =>
            "An event that is published carries no EventId: the topic gives the ids, by which clients resume. Put yours into the data.",
        { IsComment: true } => "A comment can't be published: it has no data and no id to resume by. Publish an event.",
        _ => null,
    };

    /// <summary>What speaks against so many bytes.</summary>
    public static string? SizeFault(int bytes, SseOptions options) => bytes <= options.MaxEventSize
        ? null
        : $"The event takes {bytes} bytes, and {nameof(SseOptions)}.{nameof(SseOptions.MaxEventSize)} is {options.MaxEventSize}. Raise it, or publish where the rest can be had.";

    /// <summary>Encodes events that are to be stored together: when one of them can't be, none is.</summary>
    public static SseAppend[] EncodeAll(IReadOnlyList<SseEvent> items, SseOptions options, JsonSerializerOptions json, string parameter)
    {
        var ends = new int[items.Count];
        var appends = new SseAppend[ends.Length];
        var bodies = ScratchFrames.Rent();
        for (var i = 0; i < appends.Length; i++)
        {
            var item = items[i];
            Refuse(Fault(item), i, parameter);
            EventFrame.WriteBody(bodies, item, json);
            ends[i] = bodies.Written.Length;
            Refuse(SizeFault(ends[i] - Start(ends, i), options), i, parameter);
            appends[i] = new SseAppend { Frame = default, EventType = item.EventType, Key = item.Key };
        }

        var all = bodies.ReturnAsArray();
        for (var i = 0; i < appends.Length; i++)
        {
            appends[i] = appends[i] with { Frame = all.AsMemory(Start(ends, i)..ends[i]) };
        }

        return appends;
    }

    private static int Start(int[] ends, int index) => index == 0 ? 0 : ends[index - 1];

    private static void Refuse(string? fault, int index, string parameter)
    {
        if (fault is not null)
        {
            throw new ArgumentException($"{fault} It is number {index} of those that were to be published together; none was.", parameter);
        }
    }
}
