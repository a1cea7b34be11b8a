namespace SseKit.Tests.Topics;

/// <summary>The store that other tests pass events on with keeps the contract too, or they would prove nothing.</summary>
public class RelayingBacklogTests : RelayContract
{
    protected override (ISseRelay One, ISseRelay Other) CreateTwo()
    {
        var store = new RelayingBacklog(new SlowPagingBacklog());
        return (store, store);
    }
}
