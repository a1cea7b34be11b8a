using System.Diagnostics.CodeAnalysis;
using SseKit.Waiting;

namespace SseKit.Topics;

/// <summary>Frames from the items of an async sequence.</summary>
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly", Justification = "A step is kept over the waits for it and its result is taken once.")]
internal abstract class ItemSource<T>(IAsyncEnumerable<T> items, CancellationToken cancellationToken) : FrameSource
{
    private readonly IAsyncEnumerator<T> _items = items.GetAsyncEnumerator(cancellationToken);
    private ValueTask<bool> _step;
    private Action? _stepIsOver;
    private bool _isBusy;
    private bool _reports;

    public sealed override bool IsBusy => _isBusy;

    protected T Current => _items.Current;

    public sealed override SourceStep MoveNext()
    {
        var step = _isBusy ? _step : _items.MoveNextAsync();
        if (!step.IsCompleted)
        {
            (_step, _isBusy) = (step, true);
            return SourceStep.Pending;
        }

        (_isBusy, _reports) = (false, false);
        return step.Result ? SourceStep.Frames : SourceStep.Ended;
    }

    public sealed override bool TryWait(IWakeable reader)
    {
        if (_step.IsCompleted)
        {
            return false;
        }

        if (!_reports)
        {
            _reports = true;

            // No context is of use to what only passes the word on; the reader has its own.
            _step.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(_stepIsOver ??= reader.GoOn);
        }

        return true;
    }

    public sealed override ValueTask DisposeAsync() => _items.DisposeAsync();
}
