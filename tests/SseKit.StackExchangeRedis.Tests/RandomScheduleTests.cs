using System.Globalization;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>
/// Promises T1 and R3 whatever happens. Some seconds in the normal run; more by
/// <code>SSEKIT_REDIS_SECONDS=600 tests/SseKit.StackExchangeRedis.Tests/bin/Debug/net10.0/SseKit.StackExchangeRedis.Tests -class "*.RandomScheduleTests"</code>
/// Real time and threads do not replay; what happened is written to a file that the failure names.
/// </summary>
public sealed class RandomScheduleTests
{
    [Theory]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public async Task Whatever_befalls_redis_and_the_nodes_a_client_sees_every_event_once_and_in_order_or_is_told_of_the_gap(int nodes, bool processes)
    {
        var seconds = Environment.GetEnvironmentVariable("SSEKIT_REDIS_SECONDS") is { Length: > 0 } told ? int.Parse(told, CultureInfo.InvariantCulture) : 8;
        await using var schedule = await Schedule.StartAsync(nodes, processes);
        try
        {
            await schedule.RunAsync(TimeSpan.FromSeconds(seconds));
            var outcome = schedule.History.Judge();
            TestContext.Current.TestOutputHelper?.WriteLine(outcome.ToString());

            // A run in which nothing happens proves nothing.
            Assert.True(outcome is { Received: > 50, Confirmed: > 20, Gaps: > 0, Resumes: > 10 }, $"{outcome}");
        }
        catch (Exception exception)
        {
            var file = Path.Combine(Path.GetTempPath(), $"ssekit-redis-history-{Guid.NewGuid():N}.txt");
            await File.WriteAllLinesAsync(file, schedule.History.Lines, CancellationToken.None);
            Assert.Fail($"{exception.Message}\nWhat happened: {file}\n{exception}");
        }
    }
}
