using SseKit.Diagnostics;
using SseKit.Wire;

namespace SseKit.Producing;

/// <summary>Starting producers, keeping them, going on with those of others, and giving them up when the host stops.</summary>
internal sealed partial class SseProducers
{
    private const int PageSize = 256;

    // What the host's stop waits for a source that was cancelled, or a store that is away. Real time, whatever clock the app has: a host whose
    // clock is faked must stop as well.
    private static readonly TimeSpan StopGrace = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _closed = new();
    private bool _isClosing;

    /// <summary>Set when the host is gone, as far as producers are concerned.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>How many sources are not yet disposed of.</summary>
    public int Present
    {
        get
        {
            lock (_gate)
            {
                return _present.Count;
            }
        }
    }

    /// <summary>It publishes nothing more.</summary>
    public void Ended(Producer producer)
    {
        lock (_gate)
        {
            if (_running.GetValueOrDefault(producer.Topic) == producer)
            {
                _running.Remove(producer.Topic);
            }

            KeepPulse();
        }
    }

    /// <summary>Nothing is left of it.</summary>
    public void Gone(Producer producer)
    {
        lock (_gate)
        {
            _present.Remove(producer);
        }
    }

    /// <summary>
    /// Takes over a producer whose process stopped or died, if nobody else does: it goes on, where the options say how, or is ended so that its
    /// readers know.
    /// </summary>
    public async Task TakeOverAsync(string topic, SseProducerOptions? options)
    {
        options ??= new SseProducerOptions();
        if (IsStopping || await AcquireAsync(topic, options, takeOver: true) is not { Granted: true } lease)
        {
            return;
        }

        try
        {
            var (soFar, last) = await ReadSoFarAsync(topic);
            if (options.Resume is { } resume && !lease.StopRequested)
            {
                Log.ProducerTakenOver(Logger, topic, "it goes on here");
                Run(new Producer(this, new ProducerPlan(topic, (services, stop) => resume(services, last, stop), options), lease.Fence, soFar));
                return;
            }

            Log.ProducerTakenOver(Logger, topic, "its readers are told");
            var outcome = lease.StopRequested ? SseProducerState.Cancelled : SseProducerState.Lost;
            await Topics.ProduceAsync(topic, EndEvent.Of(Options.EndEventType, outcome, message: null), lease.Fence, outcome, out _);
        }
        catch
        {
            // The next pulse, here or elsewhere, tries again.
            await Leases.ReleaseAsync(topic, lease.Fence, CancellationToken.None);
            throw;
        }
    }

    /// <summary>Gives producers the time that they have when the host stops, and hands over what still runs then.</summary>
    public async Task DrainAsync(TimeSpan time, CancellationToken atOnce)
    {
        await WhenAllAsync(producer => producer.Ended, time, atOnce);
        Close();
        await WhenAllAsync(producer => producer.Ended, StopGrace, CancellationToken.None);
        await _closed.CancelAsync();
        await WhenAllAsync(producer => producer.Gone, StopGrace, CancellationToken.None);
    }

    public void Dispose()
    {
        Close();
        _closed.Cancel();
    }

    private void Close()
    {
        Producer[] running;
        Attendance[] attended;
        lock (_gate)
        {
            _isClosing = true;
            running = [.. _running.Values];
            attended = [.. _attended.Values];
        }

        foreach (var producer in running)
        {
            producer.End(Verdict.Interrupted);
        }

        foreach (var attendance in attended)
        {
            attendance.SetGone();
        }
    }

    /// <summary>Waits for something of all producers, but no longer than that.</summary>
    private async Task WhenAllAsync(Func<Producer, Task> of, TimeSpan time, CancellationToken cancellationToken)
    {
        Task[] all;
        lock (_gate)
        {
            all = [.. _present.Select(of)];
        }

        await Task.WhenAll(all).WaitAsync(time, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<bool> AcquireAndRunAsync(ProducerPlan plan)
    {
        var lease = await AcquireAsync(plan.Topic, plan.Options, takeOver: false);
        if (lease.Granted)
        {
            Run(new Producer(this, plan, lease.Fence, new ProducedSoFar()));
        }
        else if (lease.State == SseProducerState.Interrupted)
        {
            await TakeOverAsync(plan.Topic, plan.Options);
        }

        return lease.Granted;
    }

    private async Task<SseLease> AcquireAsync(string topic, SseProducerOptions options, bool takeOver)
    {
        var terms = new SseLeaseTerms
        {
            Owner = $"{Node}.{Interlocked.Increment(ref _attempts)}",
            Duration = Term,
            RetainFor = options.RetainFor,
            TakeOver = takeOver,
        };
        try
        {
            return await Leases.AcquireAsync(topic, terms, CancellationToken.None);
        }
        catch (Exception exception) when (exception is not InvalidOperationException)
        {
            // Granted perhaps, and the answer lost: who asks again as the same owner is told.
            Log.LeaseFailed(Logger, topic, exception);
            return await Leases.AcquireAsync(topic, terms, CancellationToken.None);
        }
    }

    private void Run(Producer producer)
    {
        Producer? before;
        bool isClosing;
        lock (_gate)
        {
            isClosing = _isClosing;
            _running.Remove(producer.Topic, out before);
            _running.Add(producer.Topic, producer);
            _present.Add(producer);
            KeepPulse();
        }

        // Its lease was taken over under its feet, by this very node.
        before?.End(Verdict.Fenced);
        if (isClosing)
        {
            producer.End(Verdict.Interrupted);
        }

        producer.Start();
    }

    private async Task<(ProducedSoFar SoFar, SseEvent? Last)> ReadSoFarAsync(string topic)
    {
        var soFar = new ProducedSoFar();
        SseEntry? last = null;
        SseSlice slice;
        do
        {
            slice = await Backlog.ReadAsync(topic, soFar.LastId, PageSize, CancellationToken.None);
            foreach (var entry in slice.Entries)
            {
                soFar.Add(entry.Id, entry.Frame.Length);
                last = entry;
            }
        }
        while (slice.Entries.Count > 0 && soFar.LastId != slice.Head);

        return (soFar, last is { } newest ? FrameReader.Read(newest.Frame.Span, newest.Id) : null);
    }

    /// <summary>One timer, for as long as there is something to keep. Under the gate.</summary>
    private void KeepPulse()
    {
        if (_running.Count + _attended.Count == 0)
        {
            _pulse?.Dispose();
            _pulse = null;
        }
        else if (_pulse is null)
        {
            // The first request must not be what all pulses run in.
            using (ExecutionContext.SuppressFlow())
            {
                var interval = Options.ProducerLease / 4;
                _pulse = Time.CreateTimer(static producers => ((SseProducers)producers!).Pulse(), this, interval, interval);
            }
        }
    }

    private void Pulse()
    {
        Producer[] running;
        Attendance[] attended;
        lock (_gate)
        {
            running = [.. _running.Values];
            attended = [.. _attended.Values];
        }

        // First its own, which may be late, and only then those of others.
        foreach (var producer in running)
        {
            _ = producer.RenewAsync();
        }

        foreach (var attendance in attended)
        {
            _ = attendance.ReportAsync();
        }
    }
}
