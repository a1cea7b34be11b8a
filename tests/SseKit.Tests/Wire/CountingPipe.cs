using System.IO.Pipelines;

namespace SseKit.Tests.Wire;

/// <summary>A pipe that takes everything at once, keeps nothing, and counts how it was called.</summary>
internal sealed class CountingPipe : PipeWriter
{
    private readonly byte[] _block = new byte[64 * 1024];

    public int Blocks { get; private set; }

    public int Writes { get; private set; }

    public int Flushes { get; private set; }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        Blocks++;
        return _block;
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        Writes++;
        return default;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        Flushes++;
        return default;
    }

    public override void CancelPendingFlush()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }
}
