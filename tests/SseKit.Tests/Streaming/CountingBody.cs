using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace SseKit.Tests.Streaming;

/// <summary>A response body in memory that notes each flush and whether buffering was turned off.</summary>
internal sealed class CountingBody : PipeWriter, IHttpResponseBodyFeature
{
    private readonly ArrayBufferWriter<byte> _written = new();

    /// <summary>How much had been written at each flush.</summary>
    public List<int> Flushes { get; } = [];

    public bool BufferingDisabled { get; private set; }

    public bool Completed { get; private set; }

    public string Text => Encoding.UTF8.GetString(_written.WrittenSpan);

    public Stream Stream => AsStream();

    public PipeWriter Writer => this;

    /// <summary>A bare context that answers into this body.</summary>
    public DefaultHttpContext Context(IServiceProvider? services = null)
    {
        var context = new DefaultHttpContext { RequestServices = services! };
        context.Features.Set<IHttpResponseBodyFeature>(this);
        return context;
    }

    public void DisableBuffering() => BufferingDisabled = true;

    public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task CompleteAsync()
    {
        Completed = true;
        return Task.CompletedTask;
    }

    public override void Advance(int bytes) => _written.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => _written.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _written.GetSpan(sizeHint);

    public override void CancelPendingFlush()
    {
    }

    public override void Complete(Exception? exception = null) => Completed = true;

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        Flushes.Add(_written.WrittenCount);
        return default;
    }
}
