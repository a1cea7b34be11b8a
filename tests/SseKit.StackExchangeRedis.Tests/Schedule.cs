namespace SseKit.StackExchangeRedis.Tests;

/// <summary>Publishers and clients on several nodes, and a Redis with a replica to which everything happens that can, all at once.</summary>
internal sealed class Schedule : IAsyncDisposable
{
    private const string Key = "sse:numbers";
    private const int Clients = 6;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(60);

    private readonly TaskCompletionSource[] _arrived = [.. Enumerable.Range(0, Clients).Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];
    private readonly CancellationTokenSource _publishing = CancellationTokenSource.CreateLinkedTokenSource(Stop);
    private readonly CancellationTokenSource _receiving = CancellationTokenSource.CreateLinkedTokenSource(Stop);
    private readonly List<ScheduleNode> _nodes = [];
    private readonly List<Task> _starting = [];
    private RedisServer _primary = null!;
    private RedisServer _replica = null!;
    private TimeSpan _longestPause;
    private int _next;
    private int _last = int.MaxValue;

    public ScheduleHistory History { get; } = new(Clients);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<Schedule> StartAsync(int nodes, bool processes)
    {
        // Never trimmed, so that what Redis holds at the end of an epoch is all of it. The nodes keep little, so that clients read Redis.
        var schedule = new Schedule();
        string[] durable = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"];
        schedule._primary = await RedisServer.StartAsync(durable);
        schedule._replica = await RedisServer.StartAsync(durable);
        await schedule._replica.ExecuteAsync("REPLICAOF", "127.0.0.1", schedule._primary.Port);
        var proxies = Enumerable.Range(0, nodes).Select(_ => new RedisProxy(schedule._primary)).ToList();
        schedule._nodes.AddRange(await Task.WhenAll(proxies.Select(async proxy => processes ? await OuterNode.StartAsync(proxy) : (ScheduleNode)new InnerNode(proxy))));
        return schedule;
    }

    public async Task RunAsync(TimeSpan time)
    {
        // Half a minute where there is time for it: no timeout of anybody outlasts that.
        _longestPause = TimeSpan.FromSeconds(Math.Clamp(time.TotalSeconds / 12, 0.9, 30));
        var publishers = _nodes.Select((_, node) => Task.Run(() => PublishAsync(node), Stop)).ToList();
        var clients = Enumerable.Range(0, Clients).Select(client => Task.Run(() => ReceiveAsync(client), Stop)).ToList();
        var since = TimeProvider.System.GetTimestamp();
        var deck = new Queue<Func<Task>>();
        while (TimeProvider.System.GetElapsedTime(since) < time)
        {
            if (deck.Count == 0)
            {
                var faults = AllFaults();
                Random.Shared.Shuffle(faults);
                deck = new(faults);
            }

            await deck.Dequeue()();
            await Task.Delay(Random.Shared.Next(50, 500), Stop);
        }

        // So that there is a gap to be told of in every run.
        await FlushAsync();
        await HealAsync();
        await Task.WhenAll(_starting).WaitAsync(Rest, Stop);
        await _publishing.CancelAsync();
        await Task.WhenAll(publishers).WaitAsync(Rest, Stop);

        // All is well again: everyone gets to the last event.
        await Waiting.UntilAsync(
            async () =>
            {
                var number = Interlocked.Increment(ref _next);
                Volatile.Write(ref _last, number);
                return await PublishAsync(0, number) == "confirmed";
            },
            Rest);
        await Task.WhenAll(_arrived.Select(arrived => arrived.Task)).WaitAsync(Rest, Stop);
        await _receiving.CancelAsync();
        await Task.WhenAll(clients).WaitAsync(Rest, Stop);
        History.EndOfEpoch(await _primary.ExecuteAsync("XRANGE", Key, "-", "+"));
    }

    public async ValueTask DisposeAsync()
    {
        await _publishing.CancelAsync();
        await _receiving.CancelAsync();
        await Task.WhenAll(_starting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        await _primary.DisposeAsync();
        await _replica.DisposeAsync();
    }

    // As often as it stands here. What befalls a process befalls nobody where the nodes are none.
    private Func<Task>[] AllFaults() =>
    [
        CutOffAsync, CutOffAsync, CutOffAsync, HealAsync, HealAsync, HealAsync, HealAsync, LoseAnAnswerAsync, LoseAnAnswerAsync, PauseRedisAsync, RestartRedisAsync,
        RestartRedisEmptyAsync, ForgetClientsAsync, FlushAsync, DeleteAsync, FillAsync, WriteForeignAsync, FailOverAsync,
        .. _nodes[0] is OuterNode ? (Func<Task>[])[KillNodeAsync, KillNodeAsync, KillNodeAsync, PauseNodeAsync, PauseNodeAsync] : [],
    ];

    private Task CutOffAsync()
    {
        History.Say("a node is cut off");
        AnyNode().Proxy.Cut();
        return Task.CompletedTask;
    }

    private Task HealAsync()
    {
        History.Say("all nodes are healed");
        _nodes.ForEach(node => node.Proxy.Heal());
        return Task.CompletedTask;
    }

    private Task LoseAnAnswerAsync()
    {
        History.Say("an answer gets lost");
        AnyNode().Proxy.LoseAnswerTo("data: ");
        return Task.CompletedTask;
    }

    private async Task PauseRedisAsync()
    {
        History.Say("redis stands still");
        await _primary.PauseAsync();
        await Task.Delay(TimeSpan.FromSeconds(0.1) + (Random.Shared.NextDouble() * _longestPause), Stop);
        await _primary.ResumeAsync();
        History.Say("redis goes on");
    }

    private async Task RestartRedisAsync()
    {
        History.Say("redis is killed and comes back with what it had on disk");
        await _primary.KillAsync();
        await Task.Delay(Random.Shared.Next(300), Stop);
        await _primary.RunAsync();
    }

    private async Task RestartRedisEmptyAsync()
    {
        // Nothing is added any more, so that what was there is known to the last event.
        await _primary.ExecuteAsync("CLIENT", "PAUSE", 60_000, "WRITE");
        History.EndOfEpoch(await _primary.ExecuteAsync("XRANGE", Key, "-", "+"));
        History.Say("redis is killed and comes back empty");
        await _primary.KillAsync();
        _primary.Wipe();
        await Task.Delay(Random.Shared.Next(300), Stop);
        await _primary.RunAsync();
    }

    private async Task ForgetClientsAsync()
    {
        History.Say("redis forgets the scripts and its clients");
        await _primary.ExecuteAsync("SCRIPT", "FLUSH");
        await _primary.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
    }

    private Task FlushAsync() => DestroyAsync("redis.call('FLUSHALL')");

    private Task DeleteAsync() => DestroyAsync("redis.call('DEL', KEYS[1])");

    // In one step, so that what was there is known to the last event.
    private async Task DestroyAsync(string destroy)
    {
        History.Say($"the data is gone: {destroy}");
        History.EndOfEpoch(await _primary.ExecuteAsync("EVAL", $"local all = redis.call('XRANGE', KEYS[1], '-', '+') {destroy} return all", 1, Key));
    }

    private async Task FillAsync()
    {
        History.Say("redis is full");
        await _primary.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
        await Task.Delay(Random.Shared.Next(300), Stop);
        await _primary.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
    }

    private async Task WriteForeignAsync()
    {
        History.Say("somebody writes into the stream");
        await _primary.ExecuteAsync("XADD", Key, "*", "foreign", "\u00FF");
    }

    private async Task FailOverAsync()
    {
        await Waiting.UntilAsync(
            async () => ((string)(await _replica.ExecuteAsync("INFO", "replication"))!).Contains("master_link_status:up", StringComparison.Ordinal), Rest);
        History.Say("the replica falls behind");
        await _replica.ExecuteAsync("REPLICAOF", "NO", "ONE");
        await Task.Delay(Random.Shared.Next(200), Stop);
        History.Say("the replica takes over");
        _nodes.ForEach(node => node.Proxy.LeadTo(_replica));

        // Nobody is connected to it any more: what it holds now is all that anybody can have received from it.
        History.EndOfEpoch(await _primary.ExecuteAsync("XRANGE", Key, "-", "+"));
        (_primary, _replica) = (_replica, _primary);
        await _replica.ExecuteAsync("REPLICAOF", "127.0.0.1", _primary.Port);
    }

    private async Task KillNodeAsync()
    {
        _starting.RemoveAll(starting => starting.IsCompletedSuccessfully);
        if (AnyNode() is OuterNode { Process: { IsRunning: true } process })
        {
            History.Say($"the node at {process.Address} is killed");
            await process.KillAsync();
            _starting.Add(StartAsync(process));
        }
    }

    private async Task StartAsync(NodeProcess process)
    {
        await Task.Delay(Random.Shared.Next(1_000), Stop);
        await process.StartAsync();
        History.Say($"the node at {process.Address} is back");
    }

    private async Task PauseNodeAsync()
    {
        if (AnyNode() is OuterNode { Process: { IsRunning: true } process })
        {
            History.Say($"the node at {process.Address} stands still");
            await process.PauseAsync();
            await Task.Delay(TimeSpan.FromSeconds(0.1) + (Random.Shared.NextDouble() * _longestPause), Stop);
            await process.ResumeAsync();
            History.Say($"the node at {process.Address} goes on");
        }
    }

    private ScheduleNode AnyNode() => _nodes[Random.Shared.Next(_nodes.Count)];

    private async Task PublishAsync(int node)
    {
        while (!_publishing.IsCancellationRequested)
        {
            var burst = Random.Shared.Next(1, 10);
            for (var i = 0; i < burst; i++)
            {
                await PublishAsync(node, Interlocked.Increment(ref _next));
            }

            await Task.Delay(Random.Shared.Next(30), CancellationToken.None);
        }
    }

    private async Task<string> PublishAsync(int node, int number)
    {
        var outcome = await _nodes[node].PublishAsync(number);
        History.Published(node, number, outcome);
        return outcome;
    }

    private async Task ReceiveAsync(int client)
    {
        string? id = null;
        while (!_receiving.IsCancellationRequested)
        {
            var node = Random.Shared.Next(_nodes.Count);
            using var leaving = CancellationTokenSource.CreateLinkedTokenSource(_receiving.Token);
            leaving.CancelAfter(Random.Shared.Next(10) > 0 ? Random.Shared.Next(20, 1_500) : Random.Shared.Next(5_000, 30_000));

            History.Came(client, node, id);
            try
            {
                await foreach (var heard in _nodes[node].ListenAsync(id, leaving.Token))
                {
                    if (!heard.IsComment)
                    {
                        id = heard.Id;
                        History.Received(client, heard);
                    }

                    if (heard.Data == $"{Volatile.Read(ref _last)}")
                    {
                        _arrived[client].TrySetResult();
                    }
                }
            }
            catch (OperationCanceledException) when (leaving.IsCancellationRequested)
            {
                // It left.
            }
            catch (Exception exception)
            {
                History.Say($"client {client} fails: {exception.GetBaseException().Message.Split('.')[0]}");
            }

            await Task.Delay(Random.Shared.Next(100), CancellationToken.None);
        }
    }
}
