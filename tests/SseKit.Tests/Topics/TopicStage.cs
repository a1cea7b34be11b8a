using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace SseKit.Tests.Topics;

/// <summary>
/// Topics with everything around them on one thread: when <see cref="Settle"/> returns, whatever could happen has happened, so that a test
/// can say what was sent, and what was not, without waiting for either.
/// </summary>
internal sealed class TopicStage : IDisposable
{
    private readonly SynchronizationContext? _before = SynchronizationContext.Current;
    private readonly SeededScheduler _scheduler = new(new Random(1));
    private readonly ServiceProvider _services;

    public TopicStage(Action<SseOptions>? configure = null, ISseBacklog? store = null)
    {
        SynchronizationContext.SetSynchronizationContext(_scheduler);
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(Time);
        if (store is not null)
        {
            services.AddSingleton(store);
        }

        services.AddSingleton(_scheduler.Topics);
        services.AddSse(configure ?? (_ => { }));
        _services = services.BuildServiceProvider();
    }

    public FakeTimeProvider Time { get; } = new();

    public ISseTopics Topics => _services.GetRequiredService<ISseTopics>();

    public ISseBacklog Backlog => _services.GetRequiredService<ISseBacklog>();

    public void Settle()
    {
        while (_scheduler.Step())
        {
        }

        _scheduler.CheckThread();
    }

    public T Run<T>(ValueTask<T> task)
    {
        Settle();
        return task.IsCompleted ? task.AsTask().GetAwaiter().GetResult() : throw new ScheduleException("It waits for something that does not come.");
    }

    public string Publish(string data, string topic = "orders", string? key = null, string? type = null) =>
        Run(Topics.PublishAsync(topic, new SseEvent(data, type) { Key = key }));

    public string Position(string topic = "orders") => Run(Topics.GetPositionAsync(topic));

    /// <summary>A client comes, and receives what there is for it.</summary>
    public CapturedConnection Connect(
        string? lastEventId = null, Action<SseStreamOptions>? configure = null, string topic = "orders", string[]? headers = null, string? query = null)
    {
        var connection = new CapturedConnection();
        var context = new DefaultHttpContext { RequestServices = _services };
        context.Features.Set<IHttpResponseBodyFeature>(connection);
        context.Features.Set<IHttpRequestLifetimeFeature>(connection);
        if (headers is not null || lastEventId is not null)
        {
            context.Request.Headers["Last-Event-ID"] = headers ?? [lastEventId!];
        }

        if (query is not null)
        {
            context.Request.QueryString = QueryString.Create("lastEventId", query);
        }

        connection.Request = ServeAsync(EventSourceResult.FromTopic(topic, configure).ExecuteAsync(context));
        Settle();
        return connection;

        async Task ServeAsync(Task request)
        {
            await request;
            connection.End();
        }
    }

    /// <summary>What the client has received since it was last asked.</summary>
    public string Received(CapturedConnection connection)
    {
        Settle();
        return Encoding.UTF8.GetString(connection.Receive(int.MaxValue));
    }

    public void Dispose()
    {
        SynchronizationContext.SetSynchronizationContext(_before);
        _services.Dispose();
    }
}
