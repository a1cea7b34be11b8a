using System.IO.Pipelines;
using System.Text;
using SseKit.Wire;

namespace SseKit.Tests.Wire;

/// <summary>Frames in memory that never changes, as a topic has them, are given to the pipe from where they lie.</summary>
public sealed class LastingFramesTests
{
    private static readonly int[] Lengths = [1, 600, 1_024, 1_025, 5_000];

    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    public void They_keep_their_place_among_what_is_written_into_the_pipe(int blockSize)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0, minimumSegmentSize: blockSize, useSynchronizationContext: false));
        var frames = new PipeFrames(pipe.Writer);
        var kinds = Lengths.Length * 2;

        // Every sequence of up to four writes, each of one of these lengths and lasting or not.
        for (var count = 1; count <= 4; count++)
        {
            for (var sequence = 0; sequence < Math.Pow(kinds, count); sequence++)
            {
                var expected = new StringBuilder();
                for (int i = 0, rest = sequence; i < count; i++, rest /= kinds)
                {
                    var text = new string((char)('a' + i), Lengths[rest % kinds / 2]);
                    expected.Append(text);
                    if (rest % 2 == 0)
                    {
                        frames.WriteLasting(Encoding.UTF8.GetBytes(text));
                    }
                    else
                    {
                        frames.Write(Encoding.UTF8.GetBytes(text));
                    }

                    Assert.Equal(expected.Length, frames.Unflushed);
                }

                Assert.Equal(expected.ToString(), Encoded.Flushed(pipe, frames));
            }
        }
    }

    [Fact]
    public async Task The_last_of_them_takes_no_memory_of_the_pipe_and_no_call_but_the_flush()
    {
        var pipe = new CountingPipe();
        var frames = new PipeFrames(pipe);

        frames.WriteLasting(new byte[10_000]);
        await frames.FlushAsync();
        Assert.Equal((0, 1, 0), (pipe.Blocks, pipe.Writes, pipe.Flushes));

        frames.WriteLasting(new byte[10_000]);
        frames.WriteLasting(new byte[10_000]);
        await frames.FlushAsync();
        Assert.Equal((1, 2, 0), (pipe.Blocks, pipe.Writes, pipe.Flushes));

        for (var i = 0; i < 5; i++)
        {
            frames.WriteLasting(new byte[100]);
        }

        await frames.FlushAsync();
        Assert.Equal((1, 3, 0), (pipe.Blocks, pipe.Writes, pipe.Flushes));
    }
}
