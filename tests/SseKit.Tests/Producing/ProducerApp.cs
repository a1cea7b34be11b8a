using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Producing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Producing;

/// <summary>An app whose one endpoint answers with a producer, or attaches to one, on a clock that stands still.</summary>
internal sealed class ProducerApp : IAsyncDisposable
{
    private ProducerApp(TestApp app, FakeTimeProvider time) => (App, Time) = (app, time);

    public TestApp App { get; }

    public FakeTimeProvider Time { get; }

    public ISseProducers Producers => App.Web.Services.GetRequiredService<ISseProducers>();

    public SseProducers Engine => App.Web.Services.GetRequiredService<SseProducers>();

    /// <summary>GET and POST <c>/{topic}</c> start or attach; GET <c>/{topic}/attach</c> attaches.</summary>
    public static async Task<ProducerApp> StartAsync(
        Func<IServiceProvider, CancellationToken, IAsyncEnumerable<SseEvent>> source,
        Action<SseProducerOptions>? configure = null,
        Action<SseOptions>? options = null,
        Action<IServiceCollection>? services = null,
        FakeTimeProvider? time = null)
    {
        time ??= new FakeTimeProvider();
        var app = await TestApp.StartInMemoryAsync(
            web =>
            {
                web.MapMethods("/{topic}", ["GET", "POST", "HEAD"], (string topic) => EventSourceResult.FromProducer(topic, source, configure));
                web.MapGet("/{topic}/attach", (string topic) => EventSourceResult.FromProducer(topic));
            },
            collection =>
            {
                services?.Invoke(collection);
                collection.AddSse(o =>
                {
                    o.SendStartPosition = false;
                    o.ProducerDrainTime = TimeSpan.Zero;
                    options?.Invoke(o);
                });
            },
            time);
        return new ProducerApp(app, time);
    }

    public Task<ClientStream> OpenAsync(string path, string? lastEventId = null) => App.OpenAsync(path, lastEventId);

    /// <summary>Everything from where a client is to the end of its stream, without the ids.</summary>
    public async Task<string> ReadAsync(string path, string? lastEventId = null)
    {
        using var stream = await OpenAsync(path, lastEventId);
        return WithoutIds(await stream.ReadToEndAsync());
    }

    public static string WithoutIds(string frames) =>
        string.Concat(frames.Split('\n').Where(line => !line.StartsWith("id: ", StringComparison.Ordinal)).Select(line => line + "\n"))[..^1];

    /// <summary>The id in a frame.</summary>
    public static string IdOf(string frame) =>
        frame.Split('\n').Single(line => line.StartsWith("id: ", StringComparison.Ordinal))["id: ".Length..];

    public async Task IsInStateAsync(string topic, SseProducerState state)
    {
        await Streaming.Waiting.Until(() => Producers.GetStateAsync(topic).AsTask().Result == state, $"{topic} is {state}");
    }

    /// <summary>The last reader has left, on whatever node, and the store has been told.</summary>
    public Task HasNoReadersAsync(string topic) => Streaming.Waiting.Until(
        () => Engine.Leases.FindAsync(topic, CancellationToken.None).AsTask().Result.Unattended is not null, $"nobody reads {topic}");

    /// <summary>No source, no timer, no topic.</summary>
    public async Task NothingIsLeftAsync(params string[] topics)
    {
        await Streaming.Waiting.Until(() => Engine.Present == 0 && Producers.Running.Count == 0 && !topics.Any(Engine.HasReaders), "all have left");
        Time.Advance(TimeSpan.FromDays(7));
        foreach (var topic in topics)
        {
            Assert.Equal(SseProducerState.None, await Producers.GetStateAsync(topic));
        }
    }

    public ValueTask DisposeAsync() => App.DisposeAsync();
}
