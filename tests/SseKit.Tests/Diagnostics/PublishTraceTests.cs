using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Tests.Topics;

namespace SseKit.Tests.Diagnostics;

public sealed class PublishTraceTests : IDisposable
{
    private const string Caller = "caller of a publish";

    private readonly string _topic = $"orders/{Guid.NewGuid():N}";
    private readonly List<Activity> _ended = [];
    private readonly ActivityListener _listener;

    public PublishTraceTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "SseKit",
            Sample = Sample,
            ActivityStopped = activity =>
            {
                if (activity.DisplayName == $"publish {_topic}")
                {
                    _ended.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_publish_is_a_span_in_the_trace_of_who_publishes(bool store)
    {
        using var services = Services(store ? new SlowPagingBacklog() : null);
        using var caller = new Activity(Caller).Start();

        var id = await services.GetRequiredService<ISseTopics>().PublishAsync(_topic, "tea", TestContext.Current.CancellationToken);

        Assert.Same(caller, Activity.Current);
        var span = Assert.Single(_ended);
        Assert.Equal((ActivityKind.Producer, caller.Id, ActivityStatusCode.Unset), (span.Kind, span.ParentId, span.Status));
        Assert.Equal(
            new Dictionary<string, object?>
            {
                ["messaging.system"] = "ssekit",
                ["messaging.operation.name"] = "publish",
                ["messaging.operation.type"] = "send",
                ["messaging.destination.name"] = _topic,
                ["messaging.message.body.size"] = "data: tea\n".Length,
                ["messaging.message.id"] = id,
            },
            span.TagObjects.ToDictionary());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Events_that_are_published_together_are_one_span(bool store)
    {
        using var services = Services(store ? new SlowPagingBacklog() : null);
        using var caller = new Activity(Caller).Start();

        await services.GetRequiredService<ISseTopics>().PublishAsync(_topic, ["tea", "milk"], TestContext.Current.CancellationToken);

        var span = Assert.Single(_ended);
        Assert.Equal((ActivityKind.Producer, caller.Id, ActivityStatusCode.Unset), (span.Kind, span.ParentId, span.Status));
        Assert.Equal(
            new Dictionary<string, object?>
            {
                ["messaging.system"] = "ssekit",
                ["messaging.operation.name"] = "publish",
                ["messaging.operation.type"] = "send",
                ["messaging.destination.name"] = _topic,
                ["messaging.batch.message_count"] = 2,
            },
            span.TagObjects.ToDictionary());
        Assert.Same(caller, Activity.Current);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_publish_that_fails_says_so_in_its_span(bool store)
    {
        using var services = Services(store ? new SlowPagingBacklog { Pause = (_, _) => throw new InvalidOperationException("full") } : null);
        var topics = services.GetRequiredService<ISseTopics>();
        if (!store)
        {
            await topics.PublishAsync("the only one", "a", TestContext.Current.CancellationToken);
        }

        using var caller = new Activity(Caller).Start();
        var failure = await Assert.ThrowsAnyAsync<Exception>(async () => await topics.PublishAsync(_topic, "tea", TestContext.Current.CancellationToken));

        var failures = await Assert.ThrowsAnyAsync<Exception>(async () => await topics.PublishAsync(_topic, ["tea", "milk"], TestContext.Current.CancellationToken));

        Assert.Equal(failure.GetType(), failures.GetType());
        Assert.Equal(2, _ended.Count);
        foreach (var span in _ended)
        {
            Assert.Equal((ActivityStatusCode.Error, failure.Message), (span.Status, span.StatusDescription));
            Assert.Equal(failure.GetType().FullName, span.GetTagItem("error.type"));
        }
    }

    public void Dispose() => _listener.Dispose();

    // Not what other tests publish meanwhile.
    private static ActivitySamplingResult Sample(ref ActivityCreationOptions<ActivityContext> options) =>
        Activity.Current?.OperationName == Caller ? ActivitySamplingResult.AllData : ActivitySamplingResult.None;

    private static ServiceProvider Services(ISseBacklog? store)
    {
        var services = new ServiceCollection();
        if (store is not null)
        {
            services.AddSingleton(store);
        }

        services.AddSse(options => options.MaxTopics = 1);
        return services.BuildServiceProvider();
    }
}
