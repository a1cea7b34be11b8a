using Microsoft.Extensions.Hosting;

namespace SseKit.Producing;

/// <summary>Lets the host's stop wait for producers, as long as they may go on; knows them only once there are any.</summary>
internal sealed class ProducerShutdown : IHostedService
{
    private SseProducers? _producers;
    private long _began;

    /// <summary>Makes the host's stop wait for these.</summary>
    public void WaitFor(SseProducers producers, CancellationToken stopping)
    {
        _producers = producers;
        stopping.UnsafeRegister(static shutdown => ((ProducerShutdown)shutdown!)._began = TimeProvider.System.GetTimestamp(), this);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken)
    {
        if (_producers is not { } producers)
        {
            return Task.CompletedTask;
        }

        var left = producers.Options.ProducerDrainTime - TimeProvider.System.GetElapsedTime(_began);
        return producers.DrainAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken);
    }
}
