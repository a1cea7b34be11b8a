using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;

namespace SseKit.Testing;

/// <summary>
/// The contract of <see cref="ISseRelay"/>, an optional capability of a store, as checks that run under any test framework: to be inherited and
/// run as <see cref="SseBacklogContract"/> is.
/// </summary>
[SuppressMessage("Naming", "CA1707:Identifiers should not contain underscores", Justification = "A check is named by the sentence that a failed test is to say.")]
public abstract class SseRelayContract : SseContract
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    /// <summary>The names of all checks; as <see cref="SseBacklogContract.Checks"/>.</summary>
    public static IEnumerable<object[]> Checks => ChecksOf(typeof(SseRelayContract));

    /// <summary>Makes two nodes of one empty store, each of which is an <see cref="ISseBacklog"/> as well.</summary>
    /// <returns>The nodes, which may be one and the same where the store has but one. Who made them disposes of them.</returns>
    protected abstract (ISseRelay One, ISseRelay Other) CreateTwo();

    /// <summary>What is sent arrives on every node, unchanged.</summary>
    /// <returns>Completes when the store has passed.</returns>
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

    /// <summary>One caller's awaited sends keep their order, among themselves and behind the rings for what it stored.</summary>
    /// <returns>Completes when the store has passed.</returns>
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

    /// <summary>What is sent is in no backlog, and moves no head.</summary>
    /// <returns>Completes when the store has passed.</returns>
    public async Task Nothing_is_stored()
    {
        var (one, _) = CreateTwo();
        var head = (await ((ISseBacklog)one).ReadAsync("orders", null, 10, Stop)).Head;
        await one.SendAsync("orders", Frame("1"), Stop);

        var slice = await ((ISseBacklog)one).ReadAsync("orders", null, 10, Stop);
        Assert.Equal(head, slice.Head);
        Assert.Empty(slice.Entries);
    }

    /// <summary>One who stops listening takes nothing from another, and may be disposed of twice.</summary>
    /// <returns>Completes when the store has passed.</returns>
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

    /// <summary>Nothing that is sent after <see cref="ISseRelay.ListenAsync"/> has returned goes unheard; its token ends the attempt alone.</summary>
    /// <returns>Completes when the store has passed.</returns>
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

    /// <summary>A token that is cancelled already ends each call, and nothing is sent.</summary>
    /// <returns>Completes when the store has passed.</returns>
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

    private T Take<T>(BlockingCollection<T> received, [CallerMemberName] string check = "") =>
        received.TryTake(out var item, (int)Guard.TotalMilliseconds, Stop)
            ? item
            : throw new SseContractException(check, $"Who listens had received nothing within {Guard.TotalSeconds} s.");
}
