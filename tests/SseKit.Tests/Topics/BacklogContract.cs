using System.Collections.Concurrent;
using System.Text;

namespace SseKit.Tests.Topics;

/// <summary>The contract of <see cref="ISseBacklog"/>, as tests. Every store inherits it.</summary>
public abstract class BacklogContract
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>An empty store that keeps the newest <paramref name="maxEvents"/> events of a topic.</summary>
    protected abstract ISseBacklog Create(int maxEvents = 1_000);

    [Fact]
    public async Task Entries_are_read_back_in_the_order_in_which_they_were_appended()
    {
        var store = Create();
        var appended = await AppendAsync(store, "orders", 10);

        Assert.Equal(appended.Select(entry => entry.Id), (await ReadAllAsync(store, "orders", null)).Select(entry => entry.Id));
        Assert.Equal(appended.Skip(4).Select(entry => entry.Id), (await ReadAllAsync(store, "orders", appended[3].Id)).Select(entry => entry.Id));
        Assert.Equal(appended[^1].Id, (await store.ReadAsync("orders", null, 0, Stop)).Head);
    }

    [Fact]
    public async Task Events_that_are_appended_together_follow_each_other_and_what_was_there()
    {
        var store = Create();
        var before = await AppendAsync(store, "orders", 1);
        var together = await store.AppendAsync("orders", [Frame("1"), Frame("2") with { EventType = "tick", Key = "7" }, Frame("3")], Stop);
        var after = await AppendAsync(store, "orders", 1);

        var read = await ReadAllAsync(store, "orders", null);
        Assert.Equal([before[0].Id, .. together.Select(entry => entry.Id), after[0].Id], read.Select(entry => entry.Id));
        Assert.Equal([before[0].Id, together[0].Id, together[1].Id], together.Select(entry => entry.PreviousId));
        Assert.Equal(read.SkipLast(1).Select(entry => entry.Id), read.Skip(1).Select(entry => entry.PreviousId));
        Assert.Equal([(null, null), ("tick", "7"), (null, null)], together.Select(entry => (entry.EventType, entry.Key)));
        Assert.Equal([(null, null), ("tick", "7"), (null, null)], read.Skip(1).Take(3).Select(entry => (entry.EventType, entry.Key)));
        Assert.Equal(["data: 1\n", "data: 2\n", "data: 3\n"], read.Skip(1).Take(3).Select(entry => Encoding.UTF8.GetString(entry.Frame.Span)));
        Assert.Equal(["data: 1\n", "data: 2\n", "data: 3\n"], together.Select(entry => Encoding.UTF8.GetString(entry.Frame.Span)));
    }

    [Fact]
    public async Task Events_that_are_appended_together_may_be_all_that_is_kept()
    {
        var store = Create(maxEvents: 3);
        await AppendAsync(store, "orders", 2);
        var together = await store.AppendAsync("orders", [Frame("1"), Frame("2"), Frame("3")], Stop);

        Assert.Equal(together.Select(entry => entry.Id), (await ReadAllAsync(store, "orders", null)).Select(entry => entry.Id));
    }

    [Fact]
    public async Task No_event_of_another_writer_comes_between_those_that_are_appended_together()
    {
        const int Rounds = 40, Together = 5;
        var store = Create();
        var written = (await Task.WhenAll(Enumerable.Range(0, 4).Select(writer => Task.Run(
            async () =>
            {
                var batches = new List<IReadOnlyList<SseEntry>>();
                for (var i = 0; i < Rounds; i++)
                {
                    batches.Add(writer == 0
                        ? [await store.AppendAsync("orders", Frame("alone"), Stop)]
                        : await store.AppendAsync("orders", [.. Enumerable.Range(0, Together).Select(number => Frame($"{writer}.{i}.{number}"))], Stop));
                }

                return batches;
            },
            Stop))).WaitAsync(Guard, Stop)).SelectMany(batches => batches).ToList();

        var order = (await ReadAllAsync(store, "orders", null)).Select(entry => entry.Id).ToList();
        Assert.Equal(order.Order(), written.SelectMany(batch => batch).Select(entry => entry.Id).Order());
        foreach (var batch in written)
        {
            Assert.Equal(batch.Select(entry => entry.Id), order.Skip(order.IndexOf(batch[0].Id)).Take(batch.Count));
        }
    }

    [Fact]
    public async Task Events_that_are_appended_together_ring()
    {
        var store = Create();
        var rung = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var watch = await store.WatchAsync("orders", () => rung.TrySetResult(), Stop);

        await store.AppendAsync("orders", [Frame("1"), Frame("2")], Stop);
        await rung.Task.WaitAsync(Guard, Stop);
    }

    [Fact]
    public async Task Frames_event_types_and_keys_come_back_unchanged()
    {
        var store = Create();
        byte[] frame = [.. "event: tick\ndata: z"u8, 0xC3, 0xBC, .. "rich\ndata: \n"u8];
        var entry = await store.AppendAsync("orders", new SseAppend { Frame = frame, EventType = "tick", Key = "customer/7 \u001f \"ü🦆\"\r\n" }, Stop);
        await store.AppendAsync("orders", new SseAppend { Frame = "data: 2\n"u8.ToArray() }, Stop);

        var read = await ReadAllAsync(store, "orders", null);
        Assert.Equal(frame, entry.Frame.ToArray());
        Assert.Equal(frame, read[0].Frame.ToArray());
        Assert.Equal("tick", read[0].EventType);
        Assert.Equal("customer/7 \u001f \"ü🦆\"\r\n", read[0].Key);
        Assert.Equal(read[0].Key, entry.Key);
        Assert.Equal("data: 2\n"u8.ToArray(), read[1].Frame.ToArray());
        Assert.Null(read[1].EventType);
        Assert.Null(read[1].Key);
    }

    [Fact]
    public async Task Each_entry_names_the_one_before_it_and_the_first_the_head_of_the_empty_topic()
    {
        var store = Create();
        var before = (await store.ReadAsync("orders", null, 0, Stop)).Head;
        var appended = await AppendAsync(store, "orders", 5);

        foreach (var entries in new[] { appended, await ReadAllAsync(store, "orders", null) })
        {
            Assert.Equal([before, .. entries.SkipLast(1).Select(entry => entry.Id)], entries.Select(entry => entry.PreviousId));
        }
    }

    [Fact]
    public async Task The_head_of_an_empty_topic_is_stable_and_no_other_topics()
    {
        var store = Create();
        var slice = await store.ReadAsync("orders", null, 10, Stop);

        Assert.Empty(slice.Entries);
        Assert.Equal(slice.Head, (await store.ReadAsync("orders", null, 10, Stop)).Head);
        Assert.NotEqual(slice.Head, (await store.ReadAsync("others", null, 10, Stop)).Head);
        Assert.NotEqual(slice.Head, (await store.ReadAsync("Orders", null, 10, Stop)).Head);
    }

    [Fact]
    public async Task A_topic_that_came_to_be_again_has_another_head_though_nothing_was_in_it()
    {
        Assert.NotEqual((await Create().ReadAsync("orders", null, 0, Stop)).Head, (await Create().ReadAsync("orders", null, 0, Stop)).Head);
    }

    [Fact]
    public async Task Trimming_keeps_the_newest_and_their_links_and_the_head()
    {
        var store = Create(maxEvents: 3);
        var appended = await AppendAsync(store, "orders", 8);

        var kept = await ReadAllAsync(store, "orders", null);
        Assert.Equal(appended.TakeLast(3).Select(entry => entry.Id), kept.Select(entry => entry.Id));
        Assert.Equal(appended[4].Id, kept[0].PreviousId);
        Assert.Equal(appended[^1].Id, (await store.ReadAsync("orders", null, 0, Stop)).Head);
    }

    [Theory]
    [InlineData("nobodys-id")]
    [InlineData("0")]
    [InlineData("-")]
    [InlineData("...")]
    [InlineData("99999999999999999999999999999999999999999999999999999999999999-1")]
    public async Task After_an_unknown_id_reading_begins_with_the_earliest(string unknown)
    {
        var store = Create(maxEvents: 3);
        var appended = await AppendAsync(store, "orders", 5);

        Assert.Equal(appended[2].Id, (await ReadAllAsync(store, "orders", unknown))[0].Id);
    }

    [Fact]
    public async Task After_an_id_that_was_trimmed_or_is_another_topics_reading_begins_with_the_earliest()
    {
        var store = Create(maxEvents: 3);
        var appended = await AppendAsync(store, "orders", 6);
        var others = await AppendAsync(store, "others", 6);

        Assert.Equal(appended[3].Id, (await ReadAllAsync(store, "orders", appended[0].Id))[0].Id);
        Assert.Equal(appended[3].Id, (await ReadAllAsync(store, "orders", others[4].Id))[0].Id);
    }

    [Fact]
    public async Task After_the_newest_there_is_nothing_and_the_head_says_so()
    {
        var store = Create();
        var appended = await AppendAsync(store, "orders", 4);

        var slice = await store.ReadAsync("orders", appended[^1].Id, 100, Stop);
        Assert.Empty(slice.Entries);
        Assert.Equal(appended[^1].Id, slice.Head);
    }

    [Fact]
    public async Task The_position_before_the_earliest_leads_to_the_earliest()
    {
        var store = Create(maxEvents: 3);
        var appended = await AppendAsync(store, "orders", 6);

        var slice = await store.ReadAsync("orders", appended[2].Id, 100, Stop);
        Assert.Equal(appended[2].Id, slice.Entries[0].PreviousId);
    }

    [Fact]
    public async Task A_read_of_none_gives_the_head_alone()
    {
        var store = Create();
        var appended = await AppendAsync(store, "orders", 4);

        var slice = await store.ReadAsync("orders", appended[0].Id, 0, Stop);
        Assert.Empty(slice.Entries);
        Assert.Equal(appended[^1].Id, slice.Head);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(1_000)]
    public async Task A_page_holds_what_was_asked_for_or_less_but_something(int max)
    {
        var store = Create();
        await AppendAsync(store, "orders", 20);

        string? after = null;
        var seen = 0;
        while (true)
        {
            var slice = await store.ReadAsync("orders", after, max, Stop);
            Assert.InRange(slice.Entries.Count, seen == 20 ? 0 : 1, max);
            if (slice.Entries.Count == 0)
            {
                break;
            }

            seen += slice.Entries.Count;
            after = slice.Entries[^1].Id;
        }

        Assert.Equal(20, seen);
    }

    [Fact]
    public async Task Ids_and_heads_need_no_preflight()
    {
        var store = Create();
        var ids = (await AppendAsync(store, "a topic, with ü and 🦆", 30)).Select(entry => entry.Id)
            .Append((await store.ReadAsync("empty", null, 0, Stop)).Head);

        Assert.All(ids, id => Assert.Matches("^[0-9A-Za-z._-]{1,64}$", id));
    }

    [Fact]
    public async Task Appends_and_reads_from_many_threads_give_one_order_without_repeats()
    {
        const int Writers = 4, Each = 200;
        var store = Create(maxEvents: Writers * Each);
        var ids = new ConcurrentDictionary<string, int>();
        var mine = await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(
            async () =>
            {
                var written = new List<string>();
                for (var i = 0; i < Each; i++)
                {
                    var entry = await store.AppendAsync(i % 5 == 0 ? "others" : "orders", Frame($"{writer}.{i}"), Stop);
                    Assert.True(ids.TryAdd(entry.Id, writer), $"The id {entry.Id} was given twice.");
                    written.Add(entry.Id);

                    // A reader finds what was reported as stored, linked to what it follows.
                    var slice = await store.ReadAsync(i % 5 == 0 ? "others" : "orders", entry.PreviousId, 1, Stop);
                    Assert.Equal(entry.Id, slice.Entries[0].Id);
                }

                return written;
            },
            Stop))).WaitAsync(Guard, Stop);

        foreach (var topic in new[] { "orders", "others" })
        {
            var order = (await ReadAllAsync(store, topic, null)).Select(entry => entry.Id).ToList();
            foreach (var written in mine)
            {
                var places = written.Select(id => order.IndexOf(id)).Where(place => place >= 0).ToList();
                Assert.Equal(places.Order(), places);
                Assert.Equal(topic == "others" ? Each / 5 : Each - (Each / 5), places.Count);
            }
        }
    }

    [Fact]
    public async Task A_reader_beside_many_writers_sees_an_unbroken_chain()
    {
        var store = Create(maxEvents: 10_000);
        var last = (await store.ReadAsync("orders", null, 0, Stop)).Head;
        var writers = Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => AppendAsync(store, "orders", 300), Stop)));
        for (var seen = 0; seen < 900;)
        {
            var slice = await store.ReadAsync("orders", last, 50, Stop);
            foreach (var entry in slice.Entries)
            {
                Assert.Equal(last, entry.PreviousId);
                last = entry.Id;
                seen++;
            }

            if (slice.Entries.Count == 0)
            {
                Assert.Equal(last, slice.Head);
                await Task.Yield();
            }
        }

        await writers.WaitAsync(Guard, Stop);
    }

    [Fact]
    public async Task A_watch_is_active_once_it_is_returned()
    {
        var store = Create();
        for (var round = 0; round < 20; round++)
        {
            var rung = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using (await store.WatchAsync("orders", () => rung.TrySetResult(), Stop))
            {
                await AppendAsync(store, "orders", 1);
                await rung.Task.WaitAsync(Guard, Stop);
            }
        }
    }

    [Fact]
    public async Task Everyone_who_watches_is_rung_and_nobody_after_disposal()
    {
        var store = Create();
        int first = 0, second = 0;
        var rung = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var leaving = await store.WatchAsync("orders", () => Interlocked.Increment(ref first), Stop);
        await using var staying = await store.WatchAsync("orders", () =>
        {
            if (Interlocked.Increment(ref second) == 2)
            {
                rung.SetResult();
            }
        }, Stop);

        await AppendAsync(store, "orders", 1);
        await leaving.DisposeAsync();
        await leaving.DisposeAsync();
        var before = Volatile.Read(ref first);
        await AppendAsync(store, "orders", 1);
        await rung.Task.WaitAsync(Guard, Stop);
        Assert.Equal(before, Volatile.Read(ref first));
    }

    [Fact]
    public async Task What_is_cancelled_beforehand_is_not_done()
    {
        var store = Create();
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.AppendAsync("orders", Frame("1"), cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.AppendAsync("orders", [Frame("1"), Frame("2")], cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.ReadAsync("orders", null, 1, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.WatchAsync("orders", () => { }, cancelled));
        Assert.Empty(await ReadAllAsync(store, "orders", null));
    }

    [Fact]
    public async Task The_token_of_a_watch_does_not_end_the_watch()
    {
        var store = Create();
        var rung = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var attempt = new CancellationTokenSource();
        await using var watch = await store.WatchAsync("orders", () => rung.TrySetResult(), attempt.Token);
        await attempt.CancelAsync();

        await AppendAsync(store, "orders", 1);
        await rung.Task.WaitAsync(Guard, Stop);
    }

    private static SseAppend Frame(string data) => new() { Frame = Encoding.UTF8.GetBytes($"data: {data}\n") };

    private static async Task<List<SseEntry>> AppendAsync(ISseBacklog store, string topic, int count)
    {
        var entries = new List<SseEntry>();
        for (var i = 0; i < count; i++)
        {
            entries.Add(await store.AppendAsync(topic, Frame($"{i}"), Stop));
        }

        return entries;
    }

    private static async Task<List<SseEntry>> ReadAllAsync(ISseBacklog store, string topic, string? after)
    {
        var entries = new List<SseEntry>();
        while (true)
        {
            var slice = await store.ReadAsync(topic, after, 1_000, Stop);
            entries.AddRange(slice.Entries);
            if (slice.Entries.Count == 0 || slice.Entries[^1].Id == slice.Head)
            {
                return entries;
            }

            after = slice.Entries[^1].Id;
        }
    }
}
