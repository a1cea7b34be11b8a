using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

/// <summary>What subscribers cost. Memory is measured for the whole process, so nothing else may run meanwhile.</summary>
[Collection(nameof(MeasuredAlone))]
public class TopicCostTests
{
    [Fact]
    public async Task A_subscriber_costs_less_than_two_kilobytes_with_ten_thousand_events_unread()
    {
        const int Subscribers = 1_000;
        var stop = TestContext.Current.CancellationToken;
        var options = new SseOptions { MaxEventsPerTopic = 20_000, MaxBytesPerTopic = 64 * 1024 * 1024 };
        var topics = new SseTopics(new InMemoryBacklog(options), options, JsonSerializerOptions.Web, TimeProvider.System, NullLogger.Instance);
        await topics.PublishAsync("orders", "read", stop);
        var request = new TopicRequest { Topic = "orders", Start = SseStart.Earliest, GapEventType = "gap", Json = JsonSerializerOptions.Web };
        var reading = new List<IAsyncEnumerator<ReadOnlyMemory<byte>>>();
        for (var i = 0; i < Subscribers; i++)
        {
            reading.Add(topics.ReadFramesAsync(request, stop).GetAsyncEnumerator(stop));
            Assert.True(await reading[i].MoveNextAsync());
        }

        for (var i = 0; i < 10_000; i++)
        {
            await topics.PublishAsync("orders", $"unread {i}", stop);
        }

        var with = Measure();
        foreach (var subscriber in reading)
        {
            Assert.True(await subscriber.MoveNextAsync());
            Assert.StartsWith("data: unread 0\n", Encoding.UTF8.GetString(subscriber.Current.Span), StringComparison.Ordinal);
            await subscriber.DisposeAsync();
        }

        // What is left is what the topic keeps, whoever reads it.
        reading.Clear();
        var without = Measure();
        TestContext.Current.TestOutputHelper?.WriteLine($"{(with - without) / Subscribers} bytes each.");
        Assert.InRange((with - without) / Subscribers, 1, 2_048);
        GC.KeepAlive(topics);
    }

    [Fact]
    public void A_reader_that_stands_still_keeps_one_segment_and_nothing_that_came_later()
    {
        var topic = new MemoryTopic("orders", new TopicRetention(MaxEvents: 100, MaxBytes: 100_000, Timeout.InfiniteTimeSpan), TimeProvider.System);
        Publish(topic, 10);
        var reader = new LogCursor(topic);
        reader.MoveTo(topic.Earliest());
        Assert.Equal(CursorRead.Frames, reader.Read(out var frames));
        Publish(topic, 200);
        var passing = SegmentAt(topic);
        Publish(topic, 1_000);

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(passing.IsAlive);
        Assert.StartsWith("data: ", Encoding.UTF8.GetString(frames.Span), StringComparison.Ordinal);

        // It reads what it stands in to the end, and then finds itself lapped.
        while (reader.Read(out _) is var read && read != CursorRead.Lapped)
        {
            Assert.Equal(CursorRead.Frames, read);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference SegmentAt(TopicLog topic)
    {
        Assert.True(topic.TryLocate(SequenceOf(topic.Earliest().Id), out var segment, out _));
        return new WeakReference(segment);
    }

    private static long SequenceOf(string id) => long.Parse(id.Split('-')[1], System.Globalization.CultureInfo.InvariantCulture);

    private static void Publish(MemoryTopic topic, int count)
    {
        for (var i = 0; i < count; i++)
        {
            topic.Append(Encoding.UTF8.GetBytes($"data: {new string('x', 1_000)}\n"), null);
        }
    }

    /// <summary>The memory that is in use, once what other tests have left behind is gone.</summary>
    private static long Measure()
    {
        var before = long.MaxValue;
        while (true)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            var now = GC.GetTotalMemory(forceFullCollection: true);
            if (now >= before)
            {
                return before;
            }

            before = now;
        }
    }
}

[CollectionDefinition(nameof(MeasuredAlone), DisableParallelization = true)]
public class MeasuredAlone;
