using System.Threading.Tasks.Sources;

namespace SseKit.Tests.Streaming;

/// <summary>A source that a test drives by hand, and that notes what is done to it. For one request.</summary>
internal sealed class HandSource : IAsyncEnumerable<SseEvent>, IAsyncEnumerator<SseEvent>, IValueTaskSource<bool>
{
    private readonly Lock _gate = new();
    private readonly Queue<SseEvent> _ready = [];
    private readonly bool _obeysToken;
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cancelled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ManualResetValueTaskSourceCore<bool> _step = new() { RunContinuationsAsynchronously = true };
    private bool _pending;
    private bool _ended;
    private Exception? _failure;
    private int _waits;
    private volatile bool _disposedInStep;

    public HandSource(bool obeysToken = true) => _obeysToken = obeysToken;

    public SseEvent Current { get; private set; }

    public Task Started => _started.Task;

    public Task Cancelled => _cancelled.Task;

    public Task Disposed => _disposed.Task;

    public bool DisposedInStep => _disposedInStep;

    /// <summary>Completes once the stream has written and flushed all it has, and for the given time waits for this source.</summary>
    public Task IsWaitedForAsync(int times = 1) => Waiting.Until(() => Volatile.Read(ref _waits) >= times, "the stream waits for its source");

    public void Emit(SseEvent item)
    {
        lock (_gate)
        {
            if (!_pending)
            {
                _ready.Enqueue(item);
                return;
            }

            Current = item;
            _pending = false;
        }

        _step.SetResult(true);
    }

    public void End()
    {
        lock (_gate)
        {
            _ended = true;
            if (!_pending)
            {
                return;
            }

            _pending = false;
        }

        _step.SetResult(false);
    }

    public void Fail(Exception exception)
    {
        lock (_gate)
        {
            _failure = exception;
            if (!_pending)
            {
                return;
            }

            _pending = false;
        }

        _step.SetException(exception);
    }

    public IAsyncEnumerator<SseEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        _started.SetResult();
        cancellationToken.Register(() =>
        {
            if (_obeysToken)
            {
                Fail(new OperationCanceledException(cancellationToken));
            }

            _cancelled.TrySetResult();
        });
        return this;
    }

    public ValueTask<bool> MoveNextAsync()
    {
        lock (_gate)
        {
            if (_ready.TryDequeue(out var item))
            {
                Current = item;
                return ValueTask.FromResult(true);
            }

            if (_failure is not null)
            {
                return ValueTask.FromException<bool>(_failure);
            }

            if (_ended)
            {
                return ValueTask.FromResult(false);
            }

            _step.Reset();
            _pending = true;
            return new ValueTask<bool>(this, _step.Version);
        }
    }

    public ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _disposedInStep |= _pending;
        }

        _disposed.SetResult();
        return default;
    }

    bool IValueTaskSource<bool>.GetResult(short token) => _step.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _step.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        _step.OnCompleted(continuation, state, token, flags);
        Interlocked.Increment(ref _waits);
    }
}
