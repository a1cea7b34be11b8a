using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Diagnostics;
using SseKit.Testing;
using SseKit.Tests.Streaming;
using SseKit.Tests.Topics;

namespace SseKit.Tests.Diagnostics;

public sealed class PublishTraceTests : IDisposable
{
    private const string Caller = "caller of a publish";

    private readonly string _topic = $"orders/{Guid.NewGuid():N}";
    private readonly List<Activity> _ended = [];
    private readonly List<Activity> _delivered = [];
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
                else if (activity.DisplayName == $"deliver {_topic}")
                {
                    _delivered.Add(activity);
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

    [Fact]
    public async Task An_event_that_streams_wait_for_has_a_span_of_its_delivery_that_is_linked_to_its_publish()
    {
        await using var app = await TestApp.StartInMemoryAsync(web => web.MapSse("/", _topic), services => services.AddSse());
        var topics = app.Web.Services.GetRequiredService<ISseTopics>();
        var stop = TestContext.Current.CancellationToken;
        using var caller = new Activity(Caller).Start();

        await topics.PublishAsync(_topic, "to nobody", stop);
        await using var first = await app.Client.OpenSseAsync("/", cancellationToken: stop);
        await using var second = await app.Client.OpenSseAsync("/", cancellationToken: stop);
        await first.NextAsync(stop);
        await second.NextAsync(stop);

        // A stream that has told its position does not wait yet; one that has had an event and lets another come in time does.
        string id;
        var tries = 0;
        do
        {
            Assert.True(tries++ < 1_000, "The two streams were never woken together.");
            id = await topics.PublishAsync(_topic, "tea", stop);
            await first.NextEventAsync(stop);
            await second.NextEventAsync(stop);
        }
        while (_delivered.LastOrDefault()?.GetTagItem("ssekit.deliver.streams") is not 2);

        var publish = _ended[^1];
        var delivery = _delivered[^1];
        Assert.Null(_ended[0].GetTagItem("ssekit.deliver.streams"));
        Assert.DoesNotContain(_delivered, span => span.GetTagItem("messaging.message.id") is var of && of == _ended[0].GetTagItem("messaging.message.id"));
        Assert.Equal((ActivityKind.Consumer, publish.Id), (delivery.Kind, delivery.ParentId));
        Assert.Equal(publish.Context, Assert.Single(delivery.Links).Context);
        Assert.Equal(
            new Dictionary<string, object?>
            {
                ["messaging.system"] = "ssekit",
                ["messaging.operation.name"] = "deliver",
                ["messaging.operation.type"] = "process",
                ["messaging.destination.name"] = _topic,
                ["messaging.message.id"] = id,
                ["ssekit.deliver.streams"] = 2,
            },
            delivery.TagObjects.ToDictionary());
        Assert.Same(caller, Activity.Current);
    }

    [Fact]
    public void With_nobody_listening_a_delivery_costs_nothing()
    {
        _listener.Dispose();
        using var caller = new Activity(Caller).Start();
        PublishTrace.StartDelivery(_topic, "1", 1);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            Assert.Null(PublishTrace.StartDelivery(_topic, "1", 1));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    // Not what other tests publish meanwhile.
    private static ActivitySamplingResult Sample(ref ActivityCreationOptions<ActivityContext> options) =>
        Activity.Current is { } current && (current.OperationName == Caller || current.Parent?.OperationName == Caller) ? ActivitySamplingResult.AllData : ActivitySamplingResult.None;

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
