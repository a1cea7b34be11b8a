using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace SseKit.StackExchangeRedis;

/// <summary>Connects when the app starts, beside it, and says what does not work: not the first user should find out.</summary>
internal sealed class RedisStart(RedisProbe probe, ILogger logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        if (await probe.FaultAsync(stoppingToken) is { } fault)
        {
            Log.RedisUnusable(logger, fault.Reason, fault.Cause);
        }
    }
}
