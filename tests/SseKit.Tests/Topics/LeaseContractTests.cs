using Microsoft.Extensions.Time.Testing;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

public class InMemoryLeaseTests : LeaseContract
{
    private readonly FakeTimeProvider _time = new();

    protected override ISseBacklog Create(int maxEvents = 1_000) => new InMemoryBacklog(new SseOptions { MaxEventsPerTopic = maxEvents }, _time);

    protected override Task PassAsync(TimeSpan time)
    {
        _time.Advance(time);
        return Task.CompletedTask;
    }
}
