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
        WriteAll(scratch);
        var written = scratch.Written.ToArray();
        scratch.Return();
        Assert.Equal(written, ThroughPipe(WriteAll, before, blockSize));
        return written;

        void WriteAll(FrameBuffer frames)
        {
            foreach (var item in items)
            {
                EventFrame.Write(frames, item, json);
            }
        }
    }

    /// <summary>
    /// What becomes of the same by buffers whose room ends in different places: memory of our own that doubles as it fills, and a pipe that
    /// comes after the first kilobyte, with small blocks and with the server's.
    /// </summary>
    public static IEnumerable<byte[]> ByEveryBuffer(int before, Action<FrameBuffer> write)
    {
        var scratch = new ScratchFrames();
        scratch.Write(new byte[before]);
        write(scratch);
        return [scratch.Written[before..].ToArray(), ThroughPipe(write, before, blockSize: 1), ThroughPipe(write, before, blockSize: 4096)];
    }

    /// <summary>What a flush, which must not wait, hands to the reader's side.</summary>
    public static string Flushed(Pipe pipe, PipeFrames frames)
    {
        Assert.True(frames.FlushAsync().AsTask().IsCompletedSuccessfully);
        Assert.Equal(0, frames.Unflushed);
        Assert.True(pipe.Reader.TryRead(out var result));
        var text = Encoding.UTF8.GetString(result.Buffer);
        pipe.Reader.AdvanceTo(result.Buffer.End);
        return text;
    }

    private static byte[] ThroughPipe(Action<FrameBuffer> write, int before, int blockSize)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0, minimumSegmentSize: blockSize, useSynchronizationContext: false));
        var frames = new PipeFrames(pipe.Writer);
        frames.Write(new byte[before]);
        write(frames);
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
