using SseKit.Testing;
using SseKit.Topics;

namespace SseKit.Tests.Topics;

public class InMemoryBacklogTests : SseBacklogContract
{
    [Theory, MemberData(nameof(Checks))]
    public Task Keeps_the_contract(string check) => RunAsync(check);

    protected override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

    protected override ISseBacklog Create(int maxEvents = 1_000) =>
        new InMemoryBacklog(new SseOptions { MaxEventsPerTopic = maxEvents });
}

public class SlowPagingBacklogTests : SseBacklogContract
{
    [Theory, MemberData(nameof(Checks))]
    public Task Keeps_the_contract(string check) => RunAsync(check);

    protected override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

    protected override ISseBacklog Create(int maxEvents = 1_000) => new SlowPagingBacklog(maxEvents);

    [Fact]
    public async Task A_store_that_was_wiped_or_failed_over_gives_no_id_again()
    {
        var stop = TestContext.Current.CancellationToken;
        var store = new SlowPagingBacklog();
        var ids = new List<string> { (await store.ReadAsync("orders", null, 0, stop)).Head };
        for (var i = 0; i < 30; i++)
        {
            ids.Add((await store.AppendAsync("orders", new SseAppend { Frame = "data: 1\n"u8.ToArray() }, stop)).Id);
            if (i % 7 == 0)
            {
                store.FailOver(lost: 3);
            }
            else if (i % 11 == 0)
            {
                store.Wipe();
                ids.Add((await store.ReadAsync("orders", null, 0, stop)).Head);
            }
        }

        Assert.Equal(ids.Distinct(), ids);
    }
}
