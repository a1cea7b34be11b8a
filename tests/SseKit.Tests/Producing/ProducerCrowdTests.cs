using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Producing;
using SseKit.Tests.Streaming;
using SseKit.Topics;

namespace SseKit.Tests.Producing;

/// <summary>
/// Many producers, each with clients that drop, resume, cancel and reload as a seed says. SSEKIT_PRODUCERS sets how many there are, SSEKIT_SEED
/// which.
/// </summary>
public sealed class ProducerCrowdTests
{
    private const int Readers = 5;

    private int _resumes;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task However_clients_drop_and_come_back_each_has_the_whole_text_and_each_source_ran_once(int nodes)
    {
        var producers = Setting("SSEKIT_PRODUCERS", 200);
        var seed = Setting("SSEKIT_SEED", Environment.TickCount);
        TestContext.Current.TestOutputHelper?.WriteLine($"SSEKIT_SEED={seed}");
        var starts = new ConcurrentDictionary<string, int>();
        var store = new InMemoryBacklog(new SseOptions());
        var apps = new List<TestApp>();
        for (var i = 0; i < nodes; i++)
        {
            apps.Add(await TestApp.StartInMemoryAsync(
                web => web.MapGet("/{topic}", (string topic) => EventSourceResult.FromProducer(topic, (_, stop) =>
                {
                    starts.AddOrUpdate(topic, 1, (_, count) => count + 1);
                    return Pieces(seed, topic, stop);
                })),
                services => services.AddSingleton<ISseBacklog>(nodes == 1 ? store : new RemoteStore(store)).AddSse(o => o.ProducerDrainTime = TimeSpan.Zero)));
        }

        var texts = await Task.WhenAll(Enumerable.Range(0, producers).SelectMany(producer => Enumerable.Range(0, Readers).Select(reader => Task.Run(
            async () => (Topic: $"{producer}", Text: await ReadAsync(apps, $"{producer}", new Random(unchecked((((seed * 397) ^ producer) * 397) ^ reader)))), Stop))))
            .WaitAsync(TimeSpan.FromMinutes(2), Stop);

        foreach (var topic in texts.GroupBy(text => text.Topic))
        {
            var whole = string.Concat(Texts(seed, topic.Key));
            var text = Assert.Single(topic.Select(one => one.Text).Distinct());
            Assert.True(IsStopped(topic.Key) ? whole.StartsWith(text, StringComparison.Ordinal) : whole == text, $"Topic {topic.Key} of seed {seed} gave '{text}' of '{whole}'.");
        }

        Assert.Equal(producers, starts.Count);
        Assert.All(starts.Values, count => Assert.Equal(1, count));
        Assert.InRange(_resumes, producers, int.MaxValue);
        foreach (var app in apps)
        {
            var engine = app.Web.Services.GetRequiredService<SseProducers>();
            await Streaming.Waiting.Until(() => engine.Present == 0 && engine.Running.Count == 0 && !starts.Keys.Any(engine.HasReaders));
            Assert.Empty(app.Log.OursAboveDebug);
            await app.DisposeAsync();
        }
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : otherwise;

    /// <summary>Every tenth is stopped by one of its readers.</summary>
    private static bool IsStopped(string topic) => topic.EndsWith('7');

    private static List<string> Texts(int seed, string topic)
    {
        var random = new Random(unchecked((seed * 397) ^ int.Parse(topic, CultureInfo.InvariantCulture)));
        return [.. Enumerable.Range(0, random.Next(1, 120)).Select(i => $"{topic}.{i}{(random.Next(8) == 0 ? "\n" : " ")}")];
    }

    private static async IAsyncEnumerable<SseEvent> Pieces(int seed, string topic, [EnumeratorCancellation] CancellationToken stop)
    {
        var random = new Random(seed);
        foreach (var text in Texts(seed, topic))
        {
            if (random.Next(3) == 0)
            {
                await Task.Delay(random.Next(4), stop);
            }

            yield return text;
        }
    }

    private async Task<string> ReadAsync(List<TestApp> nodes, string topic, Random random)
    {
        var text = new StringBuilder();
        string? id = null;
        while (true)
        {
            if (random.Next(6) == 0)
            {
                // A reload: the page knows nothing any more.
                id = null;
                text.Clear();
            }

            using var leave = CancellationTokenSource.CreateLinkedTokenSource(Stop);
            var patience = random.Next(60);
            using var request = new HttpRequestMessage(HttpMethod.Get, topic);
            if (id is not null)
            {
                request.Headers.Add("Last-Event-ID", id);
                Interlocked.Increment(ref _resumes);
            }

            var node = nodes[random.Next(nodes.Count)];

            try
            {
                using var response = await node.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                await using var body = await response.Content.ReadAsStreamAsync(leave.Token);
                await foreach (var item in SseParser.Create(body).EnumerateAsync(leave.Token))
                {
                    if (item.EventType == "end")
                    {
                        return text.ToString();
                    }

                    Assert.Equal("message", item.EventType);
                    text.Append(item.Data);
                    id = item.EventId;
                    if (patience-- == 0)
                    {
                        if (IsStopped(topic) && random.Next(3) == 0)
                        {
                            await node.Web.Services.GetRequiredService<ISseProducers>().StopAsync(topic, Stop);
                        }

                        if (random.Next(2) == 0)
                        {
                            await leave.CancelAsync();
                        }

                        break;
                    }
                }
            }
            catch (OperationCanceledException) when (!Stop.IsCancellationRequested)
            {
                // It left in the middle of an event.
            }
        }
    }
}
