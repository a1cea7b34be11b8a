using System.Globalization;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>A Redis Cluster of three masters, which share the slots evenly, and as many replicas of the first one as asked for.</summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int Slots = 16_384;
    private const int MasterCount = 3;

    private readonly List<(RedisServer Server, int BusPort)> _members = [];

    public IReadOnlyList<RedisServer> Masters => [.. _members.Take(MasterCount).Select(member => member.Server)];

    public IReadOnlyList<RedisServer> Replicas => [.. _members.Skip(MasterCount).Select(member => member.Server)];

    public string Address => string.Join(',', _members.Select(member => member.Server.Address));

    public static async Task<RedisCluster> StartAsync(int replicas = 0)
    {
        var cluster = new RedisCluster();
        try
        {
            for (var i = 0; i < MasterCount + replicas; i++)
            {
                var busPort = RedisServer.FreePort();
                cluster._members.Add((await RedisServer.StartAsync("--cluster-enabled", "yes", "--cluster-port", $"{busPort}", "--cluster-node-timeout", "2000"), busPort));
            }

            await cluster.JoinAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async Task<RedisServer> OwnerAsync(string key)
    {
        var slot = await SlotAsync(key);
        foreach (var (server, _) in _members)
        {
            var own = ((string)(await server.ExecuteAsync("CLUSTER", "NODES"))!).Split('\n').First(line => line.Contains("myself", StringComparison.Ordinal));
            if (own.Contains("master", StringComparison.Ordinal) && own.Split(' ')[8..].Any(range => Contains(range, slot)))
            {
                return server;
            }
        }

        throw new InvalidOperationException($"Nobody has slot {slot}.");
    }

    /// <summary>Moves a key with its slot, which holds nothing else, as an operator does while everything runs.</summary>
    public async Task MoveAsync(string key, RedisServer to)
    {
        var slot = await SlotAsync(key);
        var from = await OwnerAsync(key);
        var (fromId, toId) = (await IdAsync(from), await IdAsync(to));
        await to.ExecuteAsync("CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
        await from.ExecuteAsync("CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
        await from.ExecuteAsync("MIGRATE", "127.0.0.1", to.Port, key, 0, 5_000);
        foreach (var server in new[] { to, from }.Union(Masters))
        {
            await server.ExecuteAsync("CLUSTER", "SETSLOT", slot, "NODE", toId);
        }

        await SettledAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (server, _) in _members)
        {
            await server.DisposeAsync();
        }
    }

    private static async Task<string> IdAsync(RedisServer server) => (string)(await server.ExecuteAsync("CLUSTER", "MYID"))!;

    private static bool Contains(string range, int slot)
    {
        var ends = range.Split('-');
        return int.TryParse(ends[0], CultureInfo.InvariantCulture, out var first) && slot >= first && slot <= int.Parse(ends[^1], CultureInfo.InvariantCulture);
    }

    private async Task<int> SlotAsync(string key) => (int)await _members[0].Server.ExecuteAsync("CLUSTER", "KEYSLOT", key);

    private async Task JoinAsync()
    {
        var (first, firstBus) = _members[0];
        for (var i = 0; i < _members.Count; i++)
        {
            var server = _members[i].Server;
            if (i < MasterCount)
            {
                await server.ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", Slots * i / MasterCount, (Slots * (i + 1) / MasterCount) - 1);
            }

            await server.ExecuteAsync("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
            if (i > 0)
            {
                await server.ExecuteAsync("CLUSTER", "MEET", "127.0.0.1", first.Port, firstBus);
            }
        }

        await AllSayAsync("CLUSTER", "INFO", $"cluster_known_nodes:{_members.Count}", "cluster_state:ok");
        foreach (var replica in Replicas)
        {
            await replica.ExecuteAsync("CLUSTER", "REPLICATE", await IdAsync(first));
            await Waiting.UntilAsync(async () => ((string)(await replica.ExecuteAsync("INFO", "replication"))!).Contains("master_link_status:up", StringComparison.Ordinal));
        }

        await SettledAsync();
        await AllSayAsync("CLUSTER", "NODES", [.. Enumerable.Repeat("slave", Math.Min(1, Replicas.Count))]);
    }

    // Until all say the same of all, and no two have the same epoch. Where a slot moves on before that, a server that takes part for the one that
    // lost a dispute deletes what it has.
    private async Task SettledAsync() =>
        await Waiting.UntilAsync(async () =>
        {
            var views = new HashSet<string>();
            foreach (var (server, _) in _members)
            {
                var members = ((string)(await server.ExecuteAsync("CLUSTER", "NODES"))!).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).ToList();
                var masters = members.Where(fields => fields[2].Contains("master", StringComparison.Ordinal)).ToList();
                if (masters.Select(fields => fields[6]).Distinct().Count() < MasterCount)
                {
                    return false;
                }

                // An id has forty letters; before the first one may stand that what follows is text.
                views.Add(string.Join('\n', masters.Select(fields => $"{fields[0][^40..]} {fields[6]} {string.Join(' ', fields[8..])}").Order()));
            }

            return views.Count == 1;
        });

    private async Task AllSayAsync(string command, string about, params string[] said)
    {
        foreach (var (server, _) in _members)
        {
            await Waiting.UntilAsync(async () => (string?)await server.ExecuteAsync(command, about) is { } text && said.All(part => text.Contains(part, StringComparison.Ordinal)));
        }
    }
}

/// <summary>One cluster for the tests of a class.</summary>
public sealed class SharedCluster : IAsyncLifetime
{
    public RedisCluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Cluster = await RedisCluster.StartAsync();

    public async ValueTask DisposeAsync()
    {
        // Null where there is no redis-server and the tests were skipped for it.
        if (Cluster is not null)
        {
            await Cluster.DisposeAsync();
        }
    }
}
