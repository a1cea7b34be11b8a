using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace SseKit.Tests.Topics;

/// <summary>
/// The server's side of a connection without a server: what is flushed can be received, the client can stop reading, and can leave.
/// </summary>
internal sealed class CapturedConnection : PipeWriter, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature, IDisposable
{
    private readonly Lock _gate = new();
    private readonly ArrayBufferWriter<byte> _unflushed = new();
    private readonly CancellationTokenSource _aborted = new();
    private readonly MemoryStream _sent = new();
    private TaskCompletionSource<FlushResult>? _stalled;

    /// <summary>The request; set once it runs.</summary>
    public Task Request { get; set; } = Task.CompletedTask;

    public bool IsOver => Request.IsCompleted;

    public bool HasBegun { get; private set; }

    /// <summary>A client that does not read: flushes wait.</summary>
    public bool IsStalled { get; private set; }

    public int Unreceived
    {
        get
        {
            lock (_gate)
            {
                return (int)(_sent.Length - _sent.Position);
            }
        }
    }

    public Action OnFlush { get; init; } = () => { };

    public CancellationToken RequestAborted
    {
        get => _aborted.Token;
        set => throw new NotSupportedException();
    }

    Stream IHttpResponseBodyFeature.Stream => AsStream();

    PipeWriter IHttpResponseBodyFeature.Writer => this;

    public void Stall() => IsStalled = true;

    public void ReadOn()
    {
        IsStalled = false;
        Interlocked.Exchange(ref _stalled, null)?.SetResult(default);
    }

    /// <summary>The client has left.</summary>
    public void Leave()
    {
        _aborted.Cancel();
        IsStalled = false;
        Interlocked.Exchange(ref _stalled, null)?.SetResult(new FlushResult(isCanceled: false, isCompleted: true));
    }

    /// <summary>The next bytes of what was sent.</summary>
    public byte[] Receive(int count)
    {
        lock (_gate)
        {
            var bytes = new byte[Math.Min(count, Unreceived)];
            _sent.ReadExactly(bytes);
            return bytes;
        }
    }

    /// <summary>The response is over: what was written last is sent without a flush.</summary>
    public void End() => Send();

    public void Dispose()
    {
        _aborted.Dispose();
        _sent.Dispose();
    }

    public override void Advance(int bytes) => _unflushed.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => _unflushed.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _unflushed.GetSpan(sizeHint);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (!HasBegun && _unflushed.WrittenSpan.SequenceEqual(":\n"u8))
        {
            // The comment that opens a stream which has to wait says nothing of its topic.
            _unflushed.ResetWrittenCount();
        }

        HasBegun = true;
        Send();
        OnFlush();
        if (!IsStalled)
        {
            return default;
        }

        _stalled = new TaskCompletionSource<FlushResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        return new ValueTask<FlushResult>(_stalled.Task);
    }

    public override void CancelPendingFlush() => throw new NotSupportedException();

    public override void Complete(Exception? exception = null)
    {
    }

    void IHttpRequestLifetimeFeature.Abort() => Leave();

    Task IHttpResponseBodyFeature.StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    Task IHttpResponseBodyFeature.CompleteAsync() => Task.CompletedTask;

    void IHttpResponseBodyFeature.DisableBuffering()
    {
    }

    Task IHttpResponseBodyFeature.SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    private void Send()
    {
        lock (_gate)
        {
            var position = _sent.Position;
            _sent.Position = _sent.Length;
            _sent.Write(_unflushed.WrittenSpan);
            _sent.Position = position;
        }

        _unflushed.ResetWrittenCount();
    }
}
