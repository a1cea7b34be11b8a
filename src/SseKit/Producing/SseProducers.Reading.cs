using System.Runtime.CompilerServices;
using SseKit.Topics;

namespace SseKit.Producing;

/// <summary>What a producer's readers get, and what it means that they are there.</summary>
internal sealed partial class SseProducers
{
    /// <summary>
    /// The frames for one reader: the whole, or what follows its id; the last of them the end. Starts the producer where there is none, where the
    /// plan has a source, and where the reader has no id: one that has an id has been there before, and a source never runs twice for it.
    /// </summary>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        ProducerPlan plan, TopicRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var attendance = Enter(plan);
        try
        {
            if (!await TryFindAsync(attendance, plan, request.LastEventId, cancellationToken))
            {
                if (!cancellationToken.IsCancellationRequested)
                {
                    yield return EndEvent.Lost(request, Options.EndEventType, GapFrame.Unknown);
                }

                yield break;
            }

            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, attendance.Gone);
            await using var frames = Topics.ReadFramesAsync(request, stop.Token).GetAsyncEnumerator(stop.Token);
            while (true)
            {
                try
                {
                    if (!await frames.MoveNextAsync())
                    {
                        break;
                    }
                }
                catch (Exception) when (stop.IsCancellationRequested)
                {
                    // Of whatever type: drivers answer a cancelled call with exceptions of their own.
                    break;
                }

                yield return frames.Current;
            }

            if (attendance.Gone.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                yield return EndEvent.Lost(request, Options.EndEventType, GapFrame.Lost);
            }
        }
        finally
        {
            Leave(attendance);
        }
    }

    public bool HasReaders(string topic)
    {
        lock (_gate)
        {
            return _attended.ContainsKey(topic);
        }
    }

    /// <summary>The last reader on this node has left.</summary>
    public void ReadersLeft(string topic, SseLease lease)
    {
        Producer? running;
        lock (_gate)
        {
            running = _running.GetValueOrDefault(topic);
        }

        if (lease.State == SseProducerState.Running)
        {
            running?.HeedReaders(lease.Unattended);
        }
    }

    private async ValueTask<bool> TryFindAsync(Attendance attendance, ProducerPlan plan, string? lastEventId, CancellationToken cancellationToken)
    {
        try
        {
            var lease = await Leases.AttendAsync(plan.Topic, Node, Term, cancellationToken);
            if (lease.State == SseProducerState.None && plan.Source is not null && lastEventId is null && !IsStopping)
            {
                await StartAsync(plan, cancellationToken);
                lease = await Leases.AttendAsync(plan.Topic, Node, Term, cancellationToken);
            }

            if (lease.State == SseProducerState.Interrupted)
            {
                await TakeOverAsync(plan.Topic, plan.Options).WaitAsync(cancellationToken);
            }

            if (lease.State == SseProducerState.None)
            {
                return false;
            }

            attendance.Known();
            return true;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception exception) when (exception is not InvalidOperationException)
        {
            throw new BacklogException(plan.Topic, exception);
        }
    }

    private Attendance Enter(ProducerPlan plan)
    {
        lock (_gate)
        {
            // Whoever comes after a producer has gone is not to hear of that one.
            if (!_attended.TryGetValue(plan.Topic, out var attendance) || attendance.Gone.IsCancellationRequested)
            {
                _attended[plan.Topic] = attendance = new Attendance(this, plan.Topic);
            }

            attendance.Readers++;
            if (attendance.Options is null || plan.Options.Resume is not null)
            {
                attendance.Options = plan.Options;
            }

            KeepPulse();
            return attendance;
        }
    }

    private void Leave(Attendance attendance)
    {
        lock (_gate)
        {
            if (--attendance.Readers > 0)
            {
                return;
            }

            if (_attended.GetValueOrDefault(attendance.Topic) != attendance)
            {
                return;
            }

            _attended.Remove(attendance.Topic);
            KeepPulse();
        }

        _ = attendance.ReportAsync();
    }
}
