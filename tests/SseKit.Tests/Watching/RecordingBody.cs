using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Watching;

namespace SseKit.Tests.Watching;

/// <summary>What a server offers to write to, in memory: it notes what is done to it, and can hold a flush or fail.</summary>
internal sealed class RecordingBody : Stream, IHttpResponseBodyFeature
{
    private readonly MemoryStream _bytes = new();
    private readonly Response _response = new();
    private readonly PipeWriter _writer;
    private readonly List<string> _calls = [];

    public RecordingBody() => _writer = PipeWriter.Create(this, new StreamPipeWriterOptions(leaveOpen: true));

    /// <summary>Each flush waits for it.</summary>
    public TaskCompletionSource? FlushGate { get; set; }

    /// <summary>Each asynchronous write waits for it before it looks at the bytes.</summary>
    public TaskCompletionSource? WriteGate { get; set; }

    /// <summary>Each flush throws it.</summary>
    public Exception? FlushFailure { get; set; }

    /// <summary>What was called, but for writes.</summary>
    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (_calls)
            {
                return [.. _calls];
            }
        }
    }

    public byte[] Written
    {
        get
        {
            lock (_calls)
            {
                return _bytes.ToArray();
            }
        }
    }

    public string Text => Encoding.UTF8.GetString(Written);

    public Stream Stream => this;

    public PipeWriter Writer => _writer;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>A request that is answered into this body.</summary>
    public DefaultHttpContext Context(IServiceProvider services)
    {
        var context = new DefaultHttpContext { RequestServices = services };
        context.Request.Method = HttpMethods.Get;
        context.Request.Path = "/";
        context.Features.Set<IHttpResponseFeature>(_response);
        context.Features.Set<IHttpResponseBodyFeature>(this);
        return context;
    }

    /// <summary>The stream that the middleware watches in a request, which the clock would call.</summary>
    public static WatchedStream StreamOf(HttpContext context) =>
        ((IWatchable)context.Features.GetRequiredFeature<IHttpResponseBodyFeature>()).Watch()!;

    /// <summary>What the clock does when a stream was silent, on this thread.</summary>
    public static void KeepAlive(WatchedStream stream) => ((IThreadPoolWorkItem)stream).Execute();

    public void DisableBuffering() => Note("DisableBuffering");

    public Task StartAsync(CancellationToken cancellationToken = default)
    {
        Note("Start");
        _response.Started = true;
        return Task.CompletedTask;
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        Note("SendFile");
        return SendFileFallback.SendFileAsync(this, path, offset, count, cancellationToken);
    }

    public Task CompleteAsync()
    {
        Note("Complete");
        return Task.CompletedTask;
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        lock (_calls)
        {
            _response.Started = true;
            _bytes.Write(buffer);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (WriteGate is { } gate)
        {
            await gate.Task.WaitAsync(cancellationToken);
        }

        Write(buffer.Span);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
        Note("Flush");
        _response.Started = true;
    }

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        Flush();
        if (FlushGate is { } gate)
        {
            await gate.Task.WaitAsync(cancellationToken);
        }

        if (FlushFailure is { } failure)
        {
            throw failure;
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        Note("Dispose");
        base.Dispose(disposing);
    }

    private void Note(string call)
    {
        lock (_calls)
        {
            _calls.Add(call);
        }
    }

    private sealed class Response : HttpResponseFeature
    {
        public bool Started { get; set; }

        public override bool HasStarted => Started;
    }
}
