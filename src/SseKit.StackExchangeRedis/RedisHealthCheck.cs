using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace SseKit.StackExchangeRedis;

internal sealed class RedisHealthCheck(RedisProbe probe) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        await probe.FaultAsync(cancellationToken) is { } fault
            ? new HealthCheckResult(context.Registration.FailureStatus, fault.Reason, fault.Cause)
            : HealthCheckResult.Healthy();
}
