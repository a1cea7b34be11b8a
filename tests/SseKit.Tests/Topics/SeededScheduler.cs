using Microsoft.Extensions.DependencyInjection;
using SseKit.Streaming;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

/// <summary>
/// Runs everything that awaits on one thread, and picks what goes on next by a seed: the same seed gives the same interleaving. It works
/// because nothing in the library leaves the synchronization context; whatever does is recorded as an escape.
/// </summary>
internal sealed class SeededScheduler(Random random) : SynchronizationContext
{
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private readonly List<(SendOrPostCallback Callback, object? State)> _ready = [];
    private string? _escape;

    public bool IsIdle => _ready.Count == 0;

    public override void Post(SendOrPostCallback d, object? state)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            Interlocked.CompareExchange(ref _escape, Environment.StackTrace, null);
            return;
        }

        _ready.Add((d, state));
    }

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("Nothing may block on the scheduler.");

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>The topics of an app all of which runs here: what its subscribers share does, too.</summary>
    public SseTopics Topics(IServiceProvider services)
    {
        var host = services.GetRequiredService<StreamHost>();
        return new SseTopics(services.GetRequiredService<ISseBacklog>(), host.Options, host.Json, host.Time, host.Logger, host.Metrics, nobodys: this);
    }

    /// <summary>Runs one of those that can go on; false when there is none.</summary>
    public bool Step()
    {
        CheckThread();
        if (_ready.Count == 0)
        {
            return false;
        }

        var index = random.Next(_ready.Count);
        var (callback, state) = _ready[index];
        _ready[index] = _ready[^1];
        _ready.RemoveAt(_ready.Count - 1);
        callback(state);
        return true;
    }

    /// <summary>Fails when something ran, or asked to run, elsewhere.</summary>
    public void CheckThread()
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            Interlocked.CompareExchange(ref _escape, Environment.StackTrace, null);
        }

        if (Volatile.Read(ref _escape) is { } escape)
        {
            throw new ScheduleException($"A step escaped the scheduler:\n{escape}");
        }
    }
}

/// <summary>What happened is not what the model allows.</summary>
internal sealed class ScheduleException(string message) : Exception(message);
