using SseKit.Testing;

namespace SseKit.Tests.Topics;

/// <summary>The store that other tests pass events on with keeps the contract too, or they would prove nothing.</summary>
public class RelayingBacklogTests : SseRelayContract
{
    [Theory, MemberData(nameof(Checks))]
    public Task Keeps_the_contract(string check) => RunAsync(check);

    protected override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

    protected override (ISseRelay One, ISseRelay Other) CreateTwo()
    {
        var store = new RelayingBacklog(new SlowPagingBacklog());
        return (store, store);
    }
}
