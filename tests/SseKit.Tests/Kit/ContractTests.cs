using SseKit.Testing;
using SseKit.Topics;

namespace SseKit.Tests.Kit;

/// <summary>Stores that break the contract, each in one way, and what the contract says of them.</summary>
public class ContractTests
{
    private static readonly Dictionary<string, (Func<SseBacklogContract> Store, string Check, string Says)> Broken = new()
    {
        ["a store that turns its pages round"] = (
            () => new Contract { Read = slice => slice with { Entries = [.. slice.Entries.Reverse()] } },
            nameof(SseBacklogContract.Entries_are_read_back_in_the_order_in_which_they_were_appended),
            "Entries are read back in the order in which they were appended: "),
        ["a store that links its entries to nothing"] = (
            () => new Contract { Read = slice => slice with { Entries = [.. slice.Entries.Select(entry => entry with { PreviousId = "0" })] } },
            nameof(SseBacklogContract.Each_entry_names_the_one_before_it_and_the_first_the_head_of_the_empty_topic),
            "entry.PreviousId) should be ["),
        ["a store that forgets the types of events"] = (
            () => new Contract { Read = slice => slice with { Entries = [.. slice.Entries.Select(entry => entry with { EventType = null })] } },
            nameof(SseBacklogContract.Frames_event_types_and_keys_come_back_unchanged),
            "read[0].EventType should be 'tick', but is null."),
        ["a store whose pages are too long"] = (
            () => new Contract { Max = int.MaxValue },
            nameof(SseBacklogContract.A_page_holds_what_was_asked_for_or_less_but_something),
            "should be between 1 and 1, but is 20."),
        ["a store that looks at no token"] = (
            () => new Contract { Heeds = false },
            nameof(SseBacklogContract.What_is_cancelled_beforehand_is_not_done),
            "should throw OperationCanceledException, but throws nothing."),
    };

    public static TheoryData<string> BrokenStores => [.. Broken.Keys];

    [Theory]
    [MemberData(nameof(BrokenStores))]
    public async Task A_store_that_breaks_the_contract_is_told_where(string what)
    {
        var (store, check, says) = Broken[what];

        var failure = await Assert.ThrowsAsync<SseContractException>(() => store().RunAsync(check));

        Assert.Equal(check, failure.Check);
        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_check_can_be_asked_for_by_its_name_and_no_other()
    {
        var names = SseBacklogContract.Checks.Select(check => Assert.IsType<string>(Assert.Single(check))).ToList();

        Assert.Contains(nameof(SseBacklogContract.A_watch_is_active_once_it_is_returned), names);
        Assert.All(names, name => Assert.NotNull(typeof(SseBacklogContract).GetMethod(name)));
        Assert.DoesNotContain(nameof(SseBacklogContract.RunAsync), names);
        await Assert.ThrowsAsync<ArgumentException>(() => new Contract().RunAsync(nameof(SseBacklogContract.RunAsync)));
    }

    private sealed class Contract : SseBacklogContract
    {
        public Func<SseSlice, SseSlice> Read { get; init; } = slice => slice;

        public int? Max { get; init; }

        public bool Heeds { get; init; } = true;

        protected override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

        protected override ISseBacklog Create(int maxEvents = 1_000) => new Store(this, new InMemoryBacklog(new SseOptions { MaxEventsPerTopic = maxEvents }));

        private sealed class Store(Contract how, ISseBacklog sound) : ISseBacklog
        {
            public ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) =>
                sound.AppendAsync(topic, append, Heeded(cancellationToken));

            public async ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken) =>
                how.Read(await sound.ReadAsync(topic, after, how.Max ?? max, Heeded(cancellationToken)));

            public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken) =>
                sound.WatchAsync(topic, grown, Heeded(cancellationToken));

            private CancellationToken Heeded(CancellationToken cancellationToken) => how.Heeds ? cancellationToken : CancellationToken.None;
        }
    }
}
