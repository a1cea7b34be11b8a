using System.IO.Pipelines;
using System.Text;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>What is small at its flush is given to the pipe in one call, from memory that the streams of a thread share.</summary>
public sealed class SmallFlushTests
{
    [Fact]
    public async Task A_pipe_may_read_what_it_was_given_when_other_streams_have_written()
    {
        var body = new WaitingStream();
        var first = new PipeFrames(PipeWriter.Create(body));
        EventFrame.Write(first, new SseEvent("first", "t"), Encoded.WebJson);
        EventFrame.Write(first, SseEvent.Json(1), Encoded.WebJson);
        var flush = first.FlushAsync();
        Assert.False(flush.IsCompleted);

        // On the same thread: this one, since nothing has been awaited.
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("data: another\n\ndata: \"stream\"\n\n", Through(new Pipe(), frames =>
            {
                EventFrame.Write(frames, "another", Encoded.WebJson);
                EventFrame.Write(frames, SseEvent.Json("stream"), Encoded.WebJson);
            }));
        }

        body.Open.SetResult();
        await flush;
        Assert.Equal("event: t\ndata: first\n\ndata: 1\n\n", Encoding.UTF8.GetString(body.ToArray()));
    }

    [Fact]
    public void Streams_that_write_in_turns_keep_their_bytes_apart()
    {
        var pipes = Enumerable.Range(0, 3).Select(_ => new Pipe()).ToArray();
        var streams = pipes.Select(pipe => new PipeFrames(pipe.Writer)).ToArray();
        for (var round = 0; round < 3; round++)
        {
            for (var n = 0; n < 2; n++)
            {
                for (var i = 0; i < streams.Length; i++)
                {
                    EventFrame.Write(streams[i], $"text {i} {round} {n}", Encoded.WebJson);
                    EventFrame.Write(streams[i], SseEvent.Json($"json {i} {round} {n}"), Encoded.WebJson);
                }
            }

            for (var i = 0; i < streams.Length; i++)
            {
                Assert.Equal(
                    $"data: text {i} {round} 0\n\ndata: \"json {i} {round} 0\"\n\ndata: text {i} {round} 1\n\ndata: \"json {i} {round} 1\"\n\n",
                    Encoded.Flushed(pipes[i], streams[i]));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    public void What_outgrows_a_kilobyte_before_its_flush_keeps_its_bytes_and_their_order(int blockSize)
    {
        for (var length = 950; length < 1050; length++)
        {
            var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0, minimumSegmentSize: blockSize, useSynchronizationContext: false));
            var frames = new PipeFrames(pipe.Writer);
            string[] large = ["a", new string('b', length), "c", new string('d', 5000), "e", new string('f', length)];
            for (var round = 0; round < 2; round++)
            {
                // Each of these ends in another place: within the kilobyte, at its border, behind it.
                for (var count = 1; count <= large.Length; count++)
                {
                    var expected = string.Concat(large[..count].Select(text => $"data: {text}\n\n"));
                    foreach (var text in large[..count])
                    {
                        EventFrame.Write(frames, text, Encoded.WebJson);
                    }

                    Assert.Equal(expected.Length, frames.Unflushed);
                    Assert.Equal(expected, Encoded.Flushed(pipe, frames));
                }
            }
        }
    }

    [Fact]
    public async Task What_is_small_at_its_flush_takes_one_call_also_after_something_large()
    {
        var pipe = new CountingPipe();
        var frames = new PipeFrames(pipe);

        EventFrame.Write(frames, "small", Encoded.WebJson);
        EventFrame.Write(frames, SseEvent.Json(1), Encoded.WebJson);
        await frames.FlushAsync();
        Assert.Equal((0, 1, 0), (pipe.Blocks, pipe.Writes, pipe.Flushes));

        EventFrame.Write(frames, new string('x', 2000), Encoded.WebJson);
        await frames.FlushAsync();
        Assert.Equal((1, 1, 1), (pipe.Blocks, pipe.Writes, pipe.Flushes));

        EventFrame.Write(frames, "small", Encoded.WebJson);
        await frames.FlushAsync();
        Assert.Equal((1, 2, 1), (pipe.Blocks, pipe.Writes, pipe.Flushes));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(5000)]
    public void Streams_of_a_thread_share_it_and_nothing_of_one_reaches_another(int asked)
    {
        var (first, second) = (new Pipe(), new Pipe());
        var frames = PipeFrames.Rent(first.Writer);
        EventFrame.Write(frames, "of the first", Encoded.WebJson);
        Assert.Equal("data: of the first\n\n", Encoded.Flushed(first, frames));
        frames.GetSpan(asked).Fill((byte)'x');
        frames.Return();

        var again = PipeFrames.Rent(second.Writer);
        Assert.Same(frames, again);
        Assert.NotSame(again, PipeFrames.Rent(first.Writer));
        EventFrame.Write(again, "of the second", Encoded.WebJson);
        Assert.Equal(again.Unflushed, "data: of the second\n\n".Length);
        Assert.Equal("data: of the second\n\n", Encoded.Flushed(second, again));
        Assert.False(first.Reader.TryRead(out _));
    }

    private static string Through(Pipe pipe, Action<PipeFrames> write)
    {
        var frames = new PipeFrames(pipe.Writer);
        write(frames);
        return Encoded.Flushed(pipe, frames);
    }

    /// <summary>Looks at what it was given only once it is opened.</summary>
    private sealed class WaitingStream : MemoryStream
    {
        public TaskCompletionSource Open { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Open.Task;
            Write(buffer.Span);
        }
    }
}
