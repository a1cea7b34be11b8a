using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>Events as bytes, by each of the two buffers that the library has; they must agree.</summary>
internal static class Encoded
{
    /// <summary>Options as an app has them that configured nothing.</summary>
    public static readonly JsonSerializerOptions WebJson = new(JsonSerializerDefaults.Web) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    public static string Text(SseEvent item, JsonSerializerOptions? json = null) => Encoding.UTF8.GetString(Bytes([item], json: json));

    /// <param name="items">The events, one after the other.</param>
    /// <param name="before">Bytes that are in the pipe's block already: moves the events across the blocks' borders.</param>
    /// <param name="blockSize">The size of the pipe's blocks; the server's own have 4,096 bytes.</param>
    /// <param name="json">For values.</param>
    public static byte[] Bytes(IReadOnlyList<SseEvent> items, int before = 0, int blockSize = 4096, JsonSerializerOptions? json = null)
    {
        json ??= WebJson;
        var scratch = ScratchFrames.Rent();
        foreach (var item in items)
        {
            EventFrame.Write(scratch, item, json);
        }

        var written = scratch.Written.ToArray();
        scratch.Return();
        Assert.Equal(written, ThroughPipe(items, before, blockSize, json));
        return written;
    }

    private static byte[] ThroughPipe(IReadOnlyList<SseEvent> items, int before, int blockSize, JsonSerializerOptions json)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0, minimumSegmentSize: blockSize, useSynchronizationContext: false));
        var frames = new PipeFrames(pipe.Writer);
        frames.Write(new byte[before]);
        foreach (var item in items)
        {
            EventFrame.Write(frames, item, json);
        }

        var unflushed = frames.Unflushed;
        Assert.True(frames.FlushAsync().AsTask().IsCompletedSuccessfully);
        Assert.Equal(0, frames.Unflushed);
        pipe.Writer.Complete();
        if (!pipe.Reader.TryRead(out var result))
        {
            return [];
        }

        Assert.Equal(unflushed, result.Buffer.Length);
        var read = result.Buffer.Slice(before).ToArray();
        pipe.Reader.Complete();
        return read;
    }
}
