using System.Runtime.CompilerServices;
using SseKit.Topics;
using SseKit.Waiting;
using SseKit.Wire;

namespace SseKit.Streaming;

/// <summary>What the loop of a stream does between two waits.</summary>
internal sealed partial class EventStream
{
    // The loop's while it waits for its source, which may change it.
    private ExecutionContext? _executionContext;
    private bool _awaitsSource;
    private LoopStep _outcome;
    private Task? _outcomeFlush;

    private enum LoopStep : byte
    {
        GoOn,
        Begin,
        BeginWithFrames,
        AwaitFlush,
        AwaitSource,
        End,
    }

    void IWakeable.Wake(bool inline)
    {
        Volatile.Write(ref _sourceIsReady, true);
        if (!inline || !TryGoOnHere())
        {
            _wake.Set(inline, this);
        }
    }

    /// <summary>
    /// Asks the source and writes what it has, until something is to be awaited. By itself, for in a method that awaits the compiler keeps little
    /// in registers, which a small event feels.
    /// </summary>
    /// <param name="flush">With <see cref="LoopStep.AwaitFlush"/>: what to await.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private LoopStep GoOn(out ValueTask flush)
    {
        flush = default;
        var source = _source!;
        while (!IsOver)
        {
            var step = source.MoveNext();
            if (step == SourceStep.Ended)
            {
                return LoopStep.End;
            }

            if (_pipe is null)
            {
                return step == SourceStep.Pending ? LoopStep.Begin : LoopStep.BeginWithFrames;
            }

            var output = Out;
            if (step == SourceStep.Frames)
            {
                source.Write(output);
                if (IsFlushDueAfterFrames(source, output) && !TryFlush(out flush))
                {
                    return LoopStep.AwaitFlush;
                }

                continue;
            }

            if (output.Unflushed > 0 && !TryFlush(out flush))
            {
                return LoopStep.AwaitFlush;
            }

            ReturnOut();
            Volatile.Write(ref _sourceIsReady, false);
            if (source.TryWait(this))
            {
                return LoopStep.AwaitSource;
            }
        }

        return LoopStep.End;
    }

    private bool IsFlushDueAfterFrames(FrameSource source, PipeFrames output)
    {
        if (_host.Metrics.CountsEvents)
        {
            _host.Metrics.Sent(Route, source.Events);
        }

        return output.Unflushed >= FlushAtBytes || IsFlushDue();
    }

    /// <summary>
    /// Goes on here where the loop waits for its source, until it would wait again: to resume a method that awaits, and to suspend it again, costs
    /// as much as writing a small event.
    /// </summary>
    private bool TryGoOnHere()
    {
        if (!_wake.TryTakeWaiter())
        {
            return false;
        }

        // Else it waits for its source to end, or to be disposed of; or it has seen already that its source was ready, and waits again: to leave
        // word once more would have it woken twice from here on.
        if (_wake.IsReplaceable && _awaitsSource && Volatile.Read(ref _sourceIsReady) && _executionContext is { } context)
        {
            ExecutionContext.Run(context, static stream => ((EventStream)stream!).GoOnInstead(), this);
            if (_outcome == LoopStep.AwaitSource)
            {
                _outcome = LoopStep.GoOn;
                if (_wake.TryGiveBack())
                {
                    return true;
                }
            }
        }

        _wake.Run();
        return true;
    }

    /// <summary>Goes on in the loop's stead and execution context, which the source sees and may change.</summary>
    private void GoOnInstead()
    {
        try
        {
            _outcome = GoOn(out var flush);
            _outcomeFlush = _outcome == LoopStep.AwaitFlush ? flush.AsTask() : null;
        }
        catch (Exception exception)
        {
            // To be thrown in the loop.
            (_outcome, _outcomeFlush) = (LoopStep.AwaitFlush, Task.FromException(exception));
        }

        _executionContext = ExecutionContext.Capture();
    }

    /// <summary>Has the loop go on in the execution context that the source has left where it was asked last.</summary>
    private void TakeContext()
    {
        if (_executionContext is { } changed && !ReferenceEquals(changed, ExecutionContext.Capture()))
        {
            ExecutionContext.Restore(changed);
        }
    }

    /// <summary>Goes on, unless that has been done already.</summary>
    private LoopStep TakeOutcome(out ValueTask flush)
    {
        if (_outcome == LoopStep.GoOn)
        {
            return GoOn(out flush);
        }

        (var outcome, flush) = (_outcome, _outcomeFlush is { } task ? new ValueTask(task) : default);
        (_outcome, _outcomeFlush) = (LoopStep.GoOn, null);
        return outcome;
    }
}
