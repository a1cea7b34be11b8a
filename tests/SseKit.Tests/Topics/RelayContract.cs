using System.Collections.Concurrent;
using System.Text;

namespace SseKit.Tests.Topics;

/// <summary>The contract of <see cref="ISseRelay"/>, as tests. Every store that is one inherits it.</summary>
public abstract class RelayContract
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Two nodes of one store; the store is an <see cref="ISseBacklog"/> as well.</summary>
    protected abstract (ISseRelay One, ISseRelay Other) CreateTwo();

    [Fact]
    public async Task Whoever_listens_gets_frame_type_and_key_as_they_were_sent()
    {
        var (one, other) = CreateTwo();
        BlockingCollection<SseAppend> near = [], far = [];
        await using var atOne = await one.ListenAsync("orders", near.Add, Stop);
        await using var atOther = await other.ListenAsync("orders", far.Add, Stop);
        byte[] frame = [.. "event: tick\ndata: z"u8, 0xC3, 0xBC, .. "rich\ndata: \n"u8];
        await one.SendAsync("orders", new SseAppend { Frame = frame, EventType = "tick", Key = "customer/7 \u001f \"ü🦆\"\r\n" }, Stop);
        await one.SendAsync("orders", Frame("2"), Stop);

        foreach (var received in new[] { near, far })
        {
            var (first, second) = (Take(received), Take(received));
            Assert.Equal(frame, first.Frame.ToArray());
            Assert.Equal(("tick", "customer/7 \u001f \"ü🦆\"\r\n"), (first.EventType, first.Key));
            Assert.Equal("data: 2\n", Encoding.UTF8.GetString(second.Frame.Span));
            Assert.Equal((null, null), (second.EventType, second.Key));
        }
    }

    [Fact]
    public async Task One_callers_events_arrive_in_their_order_and_behind_the_rings_for_what_it_stored_before()
    {
        var (one, other) = CreateTwo();
        var happened = new BlockingCollection<string>();
        await using var watch = await ((ISseBacklog)other).WatchAsync("orders", () => happened.Add("ring"), Stop);
        await using var listening = await other.ListenAsync("orders", item => happened.Add(Encoding.UTF8.GetString(item.Frame.Span)), Stop);
        for (var i = 0; i < 100; i++)
        {
            await ((ISseBacklog)one).AppendAsync("orders", Frame($"stored {i}"), Stop);
            await one.SendAsync("orders", Frame($"{i}"), Stop);
        }

        var rings = 0;
        for (var i = 0; i < 100; i++)
        {
            string next;
            while ((next = Take(happened)) == "ring")
            {
                rings++;
            }

            Assert.Equal($"data: {i}\n", next);
            Assert.InRange(rings, i + 1, int.MaxValue);
        }
    }

    [Fact]
    public async Task Nothing_is_stored()
    {
        var (one, _) = CreateTwo();
        var head = (await ((ISseBacklog)one).ReadAsync("orders", null, 10, Stop)).Head;
        await one.SendAsync("orders", Frame("1"), Stop);

        var slice = await ((ISseBacklog)one).ReadAsync("orders", null, 10, Stop);
        Assert.Equal(head, slice.Head);
        Assert.Empty(slice.Entries);
    }

    [Fact]
    public async Task Nobody_hears_of_other_topics_and_nobody_after_disposal()
    {
        var (one, other) = CreateTwo();
        BlockingCollection<string> leaving = [], staying = [];
        var left = await other.ListenAsync("orders", item => leaving.Add(Encoding.UTF8.GetString(item.Frame.Span)), Stop);
        await using var stays = await other.ListenAsync("orders", item => staying.Add(Encoding.UTF8.GetString(item.Frame.Span)), Stop);
        await one.SendAsync("Orders", Frame("another"), Stop);
        await one.SendAsync("orders", Frame("1"), Stop);
        Assert.Equal("data: 1\n", Take(leaving));
        Assert.Equal("data: 1\n", Take(staying));
        await left.DisposeAsync();
        await left.DisposeAsync();
        await one.SendAsync("orders", Frame("2"), Stop);

        Assert.Equal("data: 2\n", Take(staying));
        Assert.Empty(leaving);
    }

    [Fact]
    public async Task It_listens_once_that_is_returned_and_the_token_does_not_end_it()
    {
        var (one, other) = CreateTwo();
        for (var round = 0; round < 20; round++)
        {
            var received = new BlockingCollection<SseAppend>();
            using var attempt = new CancellationTokenSource();
            await using (await other.ListenAsync("orders", received.Add, attempt.Token))
            {
                await attempt.CancelAsync();
                await one.SendAsync("orders", Frame("1"), Stop);
                Take(received);
            }
        }
    }

    [Fact]
    public async Task What_is_cancelled_beforehand_is_not_done()
    {
        var (one, other) = CreateTwo();
        var received = new BlockingCollection<SseAppend>();
        await using var listening = await other.ListenAsync("orders", received.Add, Stop);
        var cancelled = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await one.SendAsync("orders", Frame("1"), cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await one.ListenAsync("orders", received.Add, cancelled));
        await one.SendAsync("orders", Frame("2"), Stop);
        Assert.Equal("data: 2\n", Encoding.UTF8.GetString(Take(received).Frame.Span));
    }

    private static SseAppend Frame(string data) => new() { Frame = Encoding.UTF8.GetBytes($"data: {data}\n") };

    private static T Take<T>(BlockingCollection<T> received) =>
        received.TryTake(out var item, (int)Guard.TotalMilliseconds, Stop) ? item : throw new TimeoutException("Nothing was received.");
}
