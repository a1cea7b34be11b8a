using System.Diagnostics.CodeAnalysis;
using SseKit.Diagnostics;

namespace SseKit.Producing;

/// <summary>The readers that a producer's topic has on this node. They count as one: the store is told whether there are any.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A token source without a timer holds nothing.")]
internal sealed class Attendance(SseProducers host, string topic)
{
    private readonly CancellationTokenSource _gone = new();
    private int _reports;
    private bool _wasKnown;

    public string Topic => topic;

    /// <summary>How many read it. Kept by <see cref="SseProducers"/>, under its gate.</summary>
    public int Readers { get; set; }

    /// <summary>How the producer goes on where it has to go on here: as one of the readers said, rather one that knows how.</summary>
    public SseProducerOptions? Options { get; set; }

    /// <summary>Set when the producer is gone without a trace: the readers would wait for ever.</summary>
    public CancellationToken Gone => _gone.Token;

    /// <summary>From now on a topic that is not known is one that is gone.</summary>
    public void Known() => Volatile.Write(ref _wasKnown, true);

    public void SetGone() => _ = _gone.CancelAsync();

    /// <summary>Tells the store how it stands here, and does what its answer asks for. One report at a time; what comes meanwhile follows it.</summary>
    public async Task ReportAsync()
    {
        if (Interlocked.Increment(ref _reports) > 1)
        {
            return;
        }

        int seen;
        do
        {
            seen = Volatile.Read(ref _reports);
            try
            {
                var wasKnown = Volatile.Read(ref _wasKnown);
                var hasReaders = host.HasReaders(topic);
                var lease = await host.Leases.AttendAsync(topic, host.Node, hasReaders ? host.Term : TimeSpan.Zero, CancellationToken.None);
                if (!hasReaders)
                {
                    host.ReadersLeft(topic, lease);
                }
                else if (lease.State == SseProducerState.None && wasKnown)
                {
                    SetGone();
                }
                else if (lease.State == SseProducerState.Interrupted)
                {
                    await host.TakeOverAsync(topic, Options);
                }
            }
            catch (Exception exception)
            {
                // The store is away; the next pulse asks again.
                Log.LeaseFailed(host.Logger, topic, exception);
            }
        }
        while (Interlocked.CompareExchange(ref _reports, 0, seen) != seen);
    }
}
