namespace SseKit.Streaming;

/// <summary>The keep-alive wheels of a host: one for each interval that some open stream has.</summary>
internal sealed class KeepAliveClock(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<TimeSpan, KeepAliveWheel> _wheels = [];

    public void Add(KeepAliveMember member, TimeSpan interval)
    {
        lock (_gate)
        {
            if (!_wheels.TryGetValue(interval, out var wheel))
            {
                _wheels.Add(interval, wheel = new KeepAliveWheel(interval, time));
            }

            wheel.Add(member);
        }
    }

    public void Remove(KeepAliveMember member, TimeSpan interval)
    {
        lock (_gate)
        {
            var wheel = _wheels[interval];
            wheel.Remove(member);
            if (wheel.IsEmpty)
            {
                _wheels.Remove(interval);
            }
        }
    }
}
