using System.Globalization;
using System.Text;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

/// <summary>Logs, cursors and the queue of those who wait, under real threads.</summary>
public class TopicLogStressTests
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(100_000, 40_000)]
    [InlineData(50, 40_000)]
    [InlineData(1, 20_000)]
    public async Task Readers_beside_a_writer_that_trims_see_one_unbroken_sequence_or_are_lapped(int maxEvents, int count)
    {
        var topic = new MemoryTopic("orders", new TopicRetention(maxEvents, long.MaxValue, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var readers = Enumerable.Range(0, 4).Select(reader => Task.Run(() => ReadAsync(topic, count, canLag: maxEvents < count, slow: reader == 3), Stop)).ToList();
        var writer = Task.Run(
            () =>
            {
                for (var i = 1; i <= count; i++)
                {
                    // Of all lengths, so that segments of all fillings come by.
                    topic.Append(Encoding.UTF8.GetBytes($"data: {i} {new string('x', i * 31 % 300)}\n"), null);
                    if (i % 1_000 == 0)
                    {
                        Thread.Yield();
                    }
                }
            },
            Stop);

        await writer.WaitAsync(Guard, Stop);
        await Task.WhenAll(readers).WaitAsync(Guard, Stop);
    }

    [Fact]
    public async Task Readers_beside_several_writers_get_each_event_under_its_own_id()
    {
        const int Writers = 3, Each = 10_000;
        var topic = new MemoryTopic("orders", new TopicRetention(Writers * Each, long.MaxValue, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var ids = new string[Writers, Each];
        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(() => CollectAsync(topic, Writers * Each), Stop)).ToList();
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(
            () =>
            {
                for (var i = 0; i < Each; i++)
                {
                    ids[writer, i] = topic.Append(Encoding.UTF8.GetBytes($"data: {writer}.{i}\n"), null);
                }
            },
            Stop))).WaitAsync(Guard, Stop);

        foreach (var read in await Task.WhenAll(readers).WaitAsync(Guard, Stop))
        {
            for (var writer = 0; writer < Writers; writer++)
            {
                for (var i = 0; i < Each; i++)
                {
                    Assert.Equal($"{writer}.{i}", read[ids[writer, i]]);
                }
            }
        }
    }

    // More of them than processors, and always looking: so that one is often interrupted between any two of its steps.
    [Fact]
    public async Task Readers_that_never_wait_see_one_unbroken_sequence()
    {
        const int Count = 150_000;
        var topic = new MemoryTopic("orders", new TopicRetention(75_000, long.MaxValue, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var body = Encoding.UTF8.GetBytes($"data: {new string('x', 300)}\n");
        var readers = Enumerable.Range(0, 2 * Environment.ProcessorCount).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var reader = new AwaitedCursor(topic);
                reader.MoveTo(topic.Earliest());
                for (var at = SequenceOf(reader.Id); at < Count && !Stop.IsCancellationRequested;)
                {
                    switch (reader.Read(out var frames))
                    {
                        case CursorRead.Frames:
                            at += frames.Span.Count("\n\n"u8);
                            Assert.Equal(at, SequenceOf(reader.Id));
                            break;
                        case CursorRead.Lapped:
                            reader.MoveTo(topic.Earliest());
                            at = SequenceOf(reader.Id);
                            break;
                    }
                }
            },
            Stop,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)).ToList();
        for (var i = 0; i < Count; i++)
        {
            topic.Append(body, null);
        }

        await Task.WhenAll(readers).WaitAsync(Guard, Stop);
    }

    [Fact]
    public void Who_is_behind_does_not_wait()
    {
        var topic = new MemoryTopic("orders", new TopicRetention(100, long.MaxValue, Timeout.InfiniteTimeSpan), TimeProvider.System);
        var reader = new AwaitedCursor(topic);
        reader.MoveTo(topic.Newest());
        topic.Append("data: 1\n"u8, null);
        Assert.True(reader.WaitAsync().IsCompleted);
    }

    [Fact]
    public async Task A_wait_that_is_cancelled_at_any_moment_ends_and_leaves_nothing_behind()
    {
        var topic = new MemoryTopic("orders", new TopicRetention(100, long.MaxValue, Timeout.InfiniteTimeSpan), TimeProvider.System);
        using var over = new CancellationTokenSource();
        var writer = Task.Run(
            () =>
            {
                while (!over.IsCancellationRequested)
                {
                    topic.Append("data: 1\n"u8, null);
                    Thread.Yield();
                }
            },
            Stop);
        await Parallel.ForAsync(0, 4, Stop, async (_, _) =>
        {
            for (var i = 0; i < 3_000; i++)
            {
                var reader = new AwaitedCursor(topic);
                reader.MoveTo(topic.Newest());
                var wait = Task.Run(async () => await reader.WaitAsync(), Stop);
                reader.Leave();
                await wait.WaitAsync(Guard, Stop);

                // Nobody waits after having been cancelled.
                await reader.WaitAsync().WaitAsync(Guard, Stop);
            }
        }).WaitAsync(Guard, Stop);
        await over.CancelAsync();
        await writer.WaitAsync(Guard, Stop);
    }

    [Fact]
    public async Task Everyone_who_waits_is_woken_by_the_next_event_and_who_leaves_at_once()
    {
        var random = new Random(7);
        for (var round = 0; round < 300; round++)
        {
            var topic = new MemoryTopic("orders", new TopicRetention(100, long.MaxValue, Timeout.InfiniteTimeSpan), TimeProvider.System);
            var readers = Enumerable.Range(0, random.Next(1, 20)).Select(_ => new AwaitedCursor(topic)).ToList();
            for (var turn = 0; turn < 5; turn++)
            {
                var waits = new Dictionary<AwaitedCursor, Task>();
                foreach (var reader in readers)
                {
                    reader.MoveTo(topic.Newest());
                    waits.Add(reader, reader.WaitAsync());
                }

                var leaving = readers.Where(_ => random.Next(4) == 0).ToList();
                leaving.ForEach(reader => reader.Leave());
                await Task.WhenAll(leaving.Select(reader => waits[reader])).WaitAsync(Guard, Stop);
                Assert.All(waits.Where(wait => !leaving.Contains(wait.Key)), wait => Assert.False(wait.Value.IsCompleted));
                topic.Append("data: 1\n"u8, null);
                await Task.WhenAll(waits.Values).WaitAsync(Guard, Stop);
                leaving.ForEach(reader => readers.Remove(reader));
            }
        }
    }

    private static async Task ReadAsync(MemoryTopic topic, int count, bool canLag, bool slow)
    {
        var reader = new AwaitedCursor(topic);
        reader.MoveTo(topic.Earliest());
        long? last = null;
        while (last is null || last < count)
        {
            switch (reader.Read(out var frames))
            {
                case CursorRead.Frames:
                    foreach (var (number, id) in Parse(frames))
                    {
                        Assert.Equal(number, SequenceOf(id));
                        Assert.True(last is null || number == last + 1, $"{number} came after {last}.");
                        last = number;
                    }

                    Assert.Equal(last, SequenceOf(reader.Id));
                    if (slow)
                    {
                        await Task.Yield();
                    }

                    break;
                case CursorRead.Empty:
                    await reader.WaitAsync().WaitAsync(Guard, Stop);
                    break;
                case CursorRead.Lapped:
                    // It knows where it was, to the event; and that this is gone.
                    Assert.True(canLag, "Lapped though nothing was trimmed.");
                    Assert.Equal(last ?? SequenceOf(reader.Id), SequenceOf(reader.Id));
                    Assert.NotEqual(TopicLookup.Found, topic.Find(reader.Id, out _));
                    reader.MoveTo(topic.Earliest());
                    last = null;
                    break;
            }
        }
    }

    private static async Task<Dictionary<string, string>> CollectAsync(MemoryTopic topic, int count)
    {
        var read = new Dictionary<string, string>(StringComparer.Ordinal);
        var reader = new AwaitedCursor(topic);
        reader.MoveTo(topic.Earliest());
        while (read.Count < count)
        {
            if (reader.Read(out var frames) == CursorRead.Frames)
            {
                foreach (var block in Encoding.UTF8.GetString(frames.Span).Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
                {
                    var lines = block.Split('\n');
                    read.Add(lines[1]["id: ".Length..], lines[0]["data: ".Length..]);
                }
            }
            else
            {
                await reader.WaitAsync().WaitAsync(Guard, Stop);
            }
        }

        return read;
    }

    private static IEnumerable<(long Number, string Id)> Parse(ReadOnlyMemory<byte> frames)
    {
        foreach (var block in Encoding.UTF8.GetString(frames.Span).Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var lines = block.Split('\n');
            yield return (long.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture), lines[1]["id: ".Length..]);
        }
    }

    private static long SequenceOf(string id) => long.Parse(id.Split('-')[1], CultureInfo.InvariantCulture);
}
