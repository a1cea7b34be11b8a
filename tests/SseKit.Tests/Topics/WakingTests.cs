using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Topics;

public class WakingTests
{
    /// <summary>More than are woken in one go.</summary>
    private const int Readers = 200;

    [Fact]
    public async Task A_reader_that_blocks_its_thread_holds_up_no_other()
    {
        await using var services = new ServiceCollection().AddSse().Services.BuildServiceProvider();
        var topics = services.GetRequiredService<ISseTopics>();
        var start = await topics.GetPositionAsync("news", TestContext.Current.CancellationToken);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using var blocked = new ManualResetEventSlim();
        using var waiting = new CountdownEvent(Readers);
        using var received = new CountdownEvent(Readers);
        var reading = Enumerable.Range(0, Readers).Select(async number =>
        {
            waiting.Signal();
            await foreach (var item in topics.SubscribeAsync("news", start, cancellationToken: stop.Token))
            {
                received.Signal();
                if (number % 50 == 0)
                {
                    blocked.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
                }
            }
        }).ToArray();
        Assert.True(waiting.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));

        await topics.PublishAsync("news", "1", TestContext.Current.CancellationToken);
        var all = received.Wait(TimeSpan.FromSeconds(25), TestContext.Current.CancellationToken);

        blocked.Set();
        await stop.CancelAsync();
        await Task.WhenAll(reading).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.True(all, "Some wait behind a reader that blocks its thread.");
    }
}
