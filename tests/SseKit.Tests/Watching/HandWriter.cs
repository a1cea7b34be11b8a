using System.Threading.Channels;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Watching;

/// <summary>Lets a test write into a response, from the request's own flow.</summary>
internal sealed class HandWriter
{
    private readonly Channel<(Func<Stream, Task> Write, TaskCompletionSource Done)> _writes =
        Channel.CreateUnbounded<(Func<Stream, Task> Write, TaskCompletionSource Done)>();

    /// <summary>What the request does: writes as it is told, until the end.</summary>
    public async Task WriteToAsync(Stream body)
    {
        await foreach (var (write, done) in _writes.Reader.ReadAllAsync())
        {
            await write(body);
            done.SetResult();
        }
    }

    /// <summary>Completes when the request has written it.</summary>
    public Task WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.True(_writes.Writer.TryWrite((body => body.WriteAsync(bytes).AsTask(), done)));
        return done.Task.Soon();
    }

    public void End() => _writes.Writer.Complete();
}
