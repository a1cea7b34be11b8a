namespace SseKit.StackExchangeRedis.Tests;

/// <summary>What tests of several nodes open, and close at their end in turn.</summary>
public abstract class SeveralNodes : IAsyncDisposable
{
    private readonly Stack<IAsyncDisposable> _open = new();

    private protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        while (_open.TryPop(out var one))
        {
            await one.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    private protected static async Task PublishAsync(Node node, int from, int to)
    {
        for (var i = from; i <= to; i++)
        {
            await node.Topics.PublishAsync("numbers", SseEvent.Json(i), Stop);
        }
    }

    /// <summary>Until it is refused no more. What has an unknown outcome is not published again.</summary>
    private protected static async Task PublishUntilAsync(Node node, int number) =>
        await Waiting.UntilAsync(async () =>
        {
            var exception = await Record.ExceptionAsync(() => PublishAsync(node, number, number));
            Assert.IsNotType<SseUnknownOutcomeException>(exception);
            return exception is null;
        });

    /// <summary>One after the other until one is stored for certain: that one, and those of which nobody knows.</summary>
    private protected static async Task<(int Confirmed, IReadOnlyList<int> Unknown)> PublishOnAsync(Node node, int from)
    {
        var (number, unknown) = (from, new List<int>());
        await Waiting.UntilAsync(async () =>
        {
            var outcome = await Node.PublishAsync(node.Topics, number);
            if (outcome == "unknown")
            {
                unknown.Add(number);
            }

            number += outcome == "confirmed" ? 0 : 1;
            return outcome == "confirmed";
        });
        return (number, unknown);
    }

    private protected async Task<RedisServer> RedisAsync(params string[] arguments) => Open(await RedisServer.StartAsync(arguments));

    private protected async Task<Node> NodeAsync(string redis, Action<SseOptions>? options = null, Action<SseRedisOptions>? store = null) =>
        Open(await Node.StartAsync(redis, options, store));

    private protected ClientReader Reader(Node node, string? lastEventId) => Reader(node.Address, lastEventId);

    private protected ClientReader Reader(string address, string? lastEventId) => Open(new ClientReader(address, lastEventId));

    private protected T Open<T>(T one)
        where T : IAsyncDisposable
    {
        _open.Push(one);
        return one;
    }
}
