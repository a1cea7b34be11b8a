using System.Runtime.CompilerServices;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A node as a schedule sees it: a proxy stands between it and Redis.</summary>
internal abstract class ScheduleNode(RedisProxy proxy) : IAsyncDisposable
{
    public RedisProxy Proxy => proxy;

    public abstract Task<string> PublishAsync(int number);

    public abstract IAsyncEnumerable<Heard> ListenAsync(string? lastEventId, CancellationToken stop);

    public abstract ValueTask DisposeAsync();
}

/// <summary>The services of a node, within the tests.</summary>
internal sealed class InnerNode : ScheduleNode
{
    private readonly ServiceProvider _services;
    private readonly ISseTopics _topics;

    public InnerNode(RedisProxy proxy)
        : base(proxy)
    {
        var services = new ServiceCollection().AddLogging();
        services.AddSse(o => (o.BacklogPollInterval, o.MaxEventsPerTopic) = (TimeSpan.FromMilliseconds(200), 20)).AddStackExchangeRedis(o =>
        {
            o.Configuration = ConfigurationOptions.Parse($"{proxy.Address},asyncTimeout=500,connectTimeout=1000");
            o.Configuration.HeartbeatInterval = TimeSpan.FromMilliseconds(100);
            o.Configuration.ReconnectRetryPolicy = new LinearRetry(50);
            o.MaxEvents = 1_000_000;
        });
        _services = services.BuildServiceProvider();
        _topics = _services.GetRequiredService<ISseTopics>();
    }

    public override Task<string> PublishAsync(int number) => Node.PublishAsync(_topics, number);

    public override async IAsyncEnumerable<Heard> ListenAsync(string? lastEventId, [EnumeratorCancellation] CancellationToken stop)
    {
        await foreach (var item in _topics.SubscribeAsync("numbers", lastEventId, SseStart.Earliest, cancellationToken: stop))
        {
            yield return new Heard(item.EventId, item.EventType, item.Data);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await Proxy.DisposeAsync();
    }
}

/// <summary>A node as a process of its own, and its clients over HTTP.</summary>
internal sealed class OuterNode : ScheduleNode
{
    private OuterNode(RedisProxy proxy, NodeProcess process)
        : base(proxy) => Process = process;

    public NodeProcess Process { get; }

    public static async Task<OuterNode> StartAsync(RedisProxy proxy) => new(proxy, await NodeProcess.StartAsync(proxy.Address));

    public override Task<string> PublishAsync(int number) => Process.PublishAsync(number);

    public override IAsyncEnumerable<Heard> ListenAsync(string? lastEventId, CancellationToken stop) =>
        EventClient.ListenAsync(Process.Address + (Random.Shared.Next(2) == 0 ? "/live" : "/all"), lastEventId, stop);

    public override async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        await Proxy.DisposeAsync();
    }
}
