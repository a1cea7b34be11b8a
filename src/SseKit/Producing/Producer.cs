using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Diagnostics;
using SseKit.Waiting;

namespace SseKit.Producing;

/// <summary>
/// One run of a source, under one lease. It belongs to the host: a scope of its own, no context of whoever started it. Its loop asks the source
/// and publishes; whoever wants it to end sets a verdict and wakes it. A source that looks at no token is left behind: the end does not wait for
/// it.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without a timer holds nothing; a source left behind may still look at it.")]
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly", Justification = "A step is kept over the waits for it and its result is taken once.")]
internal sealed partial class Producer(SseProducers host, ProducerPlan plan, long fence, ProducedSoFar soFar) : IThreadPoolWorkItem
{
    private readonly AsyncSignal _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AsyncServiceScope? _scope;
    private IAsyncEnumerator<SseEvent>? _items;
    private ValueTask<bool> _step;
    private bool _stepPending;
    private int _verdict;

    public string Topic => plan.Topic;

    /// <summary>Completes when it publishes nothing more: its end is stored, or is another's business.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Completes when its source and its scope are disposed of.</summary>
    public Task Gone => _gone.Task;

    private Verdict Why => (Verdict)Volatile.Read(ref _verdict);

    /// <summary>Runs it on the thread pool, in nobody's context.</summary>
    public void Start() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    void IThreadPoolWorkItem.Execute() => _ = RunAsync();

    /// <summary>Ends it. The first verdict holds.</summary>
    public void End(Verdict why)
    {
        if (Interlocked.CompareExchange(ref _verdict, (int)why, (int)Verdict.None) == (int)Verdict.None)
        {
            _ = _stop.CancelAsync();
            _wake.Set();
        }
    }

    private async Task RunAsync()
    {
        try
        {
            await PumpAsync();
            End(Verdict.Done);
            await TellAsync(failure: null);
        }
        catch (Exception exception)
        {
            End(Verdict.Failed);
            await TellAsync(exception);
        }

        host.Ended(this);
        _ended.SetResult();
        await LetGoAsync();
        host.Gone(this);
        _gone.SetResult();
    }

    /// <summary>From the source to the topic, until one of them ends or a verdict is there.</summary>
    private async Task PumpAsync()
    {
        _scope = host.Scopes.CreateAsyncScope();
        var source = plan.Source!(_scope.Value.ServiceProvider, _stop.Token)
            ?? throw new InvalidOperationException("The source of a producer is null. Return a sequence; an empty one ends it.");
        _items = source.GetAsyncEnumerator(_stop.Token);
        while (Why == Verdict.None)
        {
            _step = _items.MoveNextAsync();
            if (!_step.IsCompleted)
            {
                _stepPending = true;
                _step.GetAwaiter().UnsafeOnCompleted(() => _wake.Set());
                while (!_step.IsCompleted)
                {
                    if (Why != Verdict.None)
                    {
                        return;
                    }

                    await _wake.WaitAsync();
                }

                _stepPending = false;
            }

            if (!_step.Result)
            {
                return;
            }

            var item = _items.Current;
            if (Why == Verdict.None && !item.IsComment)
            {
                soFar.CheckRoom(Topic, plan.Options);
                await PublishAsync(item, outcome: null);
            }
        }
    }

    /// <summary>Says how it ended, where that is its own business.</summary>
    private async Task TellAsync(Exception? failure)
    {
        switch (Why)
        {
            case Verdict.Done:
                await EndAsync(SseProducerState.Done, message: null);
                break;
            case Verdict.Failed:
                Log.ProducerFailed(host.Logger, Topic, failure!);
                await EndAsync(SseProducerState.Failed, MessageOf(failure!));
                break;
            case Verdict.Cancelled:
                await EndAsync(SseProducerState.Cancelled, message: null);
                break;
            case Verdict.Abandoned:
                Log.ProducerAbandoned(host.Logger, Topic);
                await EndAsync(SseProducerState.Abandoned, message: null);
                break;
            case Verdict.Interrupted:
                await ReleaseAsync();
                break;
            case Verdict.Fenced:
                Log.ProducerFenced(host.Logger, Topic);
                break;
        }
    }

    private string? MessageOf(Exception failure)
    {
        try
        {
            return plan.Options.OnFailure?.Invoke(failure);
        }
        catch (Exception exception)
        {
            Log.ProducerHookFailed(host.Logger, Topic, exception);
            return null;
        }
    }

    /// <summary>Disposes of source and scope, but never during a step. Nobody waits for it.</summary>
    private async Task LetGoAsync()
    {
        try
        {
            while (_stepPending && !_step.IsCompleted)
            {
                await _wake.WaitAsync();
            }

            if (_stepPending)
            {
                await _step;
            }
        }
        catch (Exception exception)
        {
            Log.ProducerLeftLate(host.Logger, Topic, exception);
        }

        await QuietlyAsync(_items);
        await QuietlyAsync(_scope);
    }

    private async Task QuietlyAsync(IAsyncDisposable? disposable)
    {
        try
        {
            if (disposable is not null)
            {
                await disposable.DisposeAsync();
            }
        }
        catch (Exception exception)
        {
            Log.ProducerLeftLate(host.Logger, Topic, exception);
        }
    }
}
