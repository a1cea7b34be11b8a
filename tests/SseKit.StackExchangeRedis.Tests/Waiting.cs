namespace SseKit.StackExchangeRedis.Tests;

/// <summary>Waits for what comes by itself.</summary>
internal static class Waiting
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    public static async Task UntilAsync(Func<Task<bool>> condition, TimeSpan? within = null)
    {
        using var guard = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        guard.CancelAfter(within ?? Guard);
        while (!await condition())
        {
            await Task.Delay(20, guard.Token);
        }
    }
}
