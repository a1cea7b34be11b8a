using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>
/// Publishers and clients on several nodes, and a Redis with a replica to which everything happens that can, all at once. What each epoch of
/// Redis held is written down in the moment in which it ends; afterwards everything that a client received between two gaps must be an
/// unbroken run of one of them. Some seconds in the normal run; more by
/// <code>SSEKIT_REDIS_SECONDS=600 tests/SseKit.StackExchangeRedis.Tests/bin/Debug/net10.0/SseKit.StackExchangeRedis.Tests -class "*.RandomScheduleTests"</code>
/// Real time and threads do not replay; what happened is written to a file that the failure names.
/// </summary>
public sealed class RandomScheduleTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_befalls_redis_a_client_sees_every_event_once_and_in_order_or_is_told_of_the_gap(int nodes)
    {
        var seconds = Environment.GetEnvironmentVariable("SSEKIT_REDIS_SECONDS") is { Length: > 0 } told ? int.Parse(told, CultureInfo.InvariantCulture) : 12;
        await using var schedule = await Schedule.StartAsync(nodes);
        try
        {
            await schedule.RunAsync(TimeSpan.FromSeconds(seconds));
            var seen = schedule.Judge();
            TestContext.Current.TestOutputHelper?.WriteLine(seen.ToString());

            // A run in which nothing happens proves nothing.
            Assert.True(seen is { Received: > 500, Confirmed: > 100, Gaps: > 0, Resumes: > 10, Epochs: > 1 }, $"{seen}");
        }
        catch (Exception exception)
        {
            var file = Path.Combine(Path.GetTempPath(), $"ssekit-redis-history-{Guid.NewGuid():N}.txt");
            await File.WriteAllLinesAsync(file, schedule.History, CancellationToken.None);
            Assert.Fail($"{exception.Message}\nWhat happened: {file}\n{exception}");
        }
    }

    private sealed record Seen(int Received, int Confirmed, int Refused, int Unknown, int Gaps, int Resumes, int Epochs, int Faults);

    private sealed class Schedule : IAsyncDisposable
    {
        private const string Key = "sse:numbers";
        private const int Clients = 6;
        private static readonly TimeSpan Rest = TimeSpan.FromSeconds(60);

        private readonly ConcurrentQueue<string> _history = new();
        private readonly ConcurrentDictionary<int, string> _published = new();
        private readonly ConcurrentQueue<List<int>> _together = new();
        private readonly List<List<int>> _epochs = [];
        private readonly List<List<object>> _received = [.. Enumerable.Range(0, Clients).Select(_ => new List<object>())];
        private readonly List<(ServiceProvider Services, RedisProxy Proxy)> _nodes = [];
        private readonly TaskCompletionSource[] _arrived = [.. Enumerable.Range(0, Clients).Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];
        private readonly CancellationTokenSource _publishing = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        private readonly CancellationTokenSource _receiving = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        private RedisServer _primary = null!;
        private RedisServer _replica = null!;
        private int _next;
        private int _last = int.MaxValue;
        private int _resumes;
        private int _faults;

        public IEnumerable<string> History => _history.Concat(_received.Select((items, client) => $"client {client}: {string.Join(' ', items)}"))
            .Concat(_epochs.Select((numbers, epoch) => $"epoch {epoch}: {string.Join(' ', numbers)}"));

        public static async Task<Schedule> StartAsync(int nodes)
        {
            // Never trimmed, so that what Redis holds at the end of an epoch is all of it. The nodes keep little, so that clients read Redis.
            var schedule = new Schedule();
            string[] durable = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"];
            schedule._primary = await RedisServer.StartAsync(durable);
            schedule._replica = await RedisServer.StartAsync(durable);
            await schedule._replica.ExecuteAsync("REPLICAOF", "127.0.0.1", schedule._primary.Port);
            for (var node = 0; node < nodes; node++)
            {
                var proxy = new RedisProxy(schedule._primary);
                var services = new ServiceCollection().AddLogging();
                services.AddSse(o => (o.BacklogPollInterval, o.MaxEventsPerTopic) = (TimeSpan.FromMilliseconds(200), 20)).AddStackExchangeRedis(o =>
                {
                    o.Configuration = ConfigurationOptions.Parse($"{proxy.Address},asyncTimeout=500,connectTimeout=1000");
                    o.Configuration.HeartbeatInterval = TimeSpan.FromMilliseconds(100);
                    o.Configuration.ReconnectRetryPolicy = new LinearRetry(50);
                    o.MaxEvents = 1_000_000;
                });
                schedule._nodes.Add((services.BuildServiceProvider(), proxy));
            }

            return schedule;
        }

        public async Task RunAsync(TimeSpan time)
        {
            var publishers = _nodes.Select((_, node) => Task.Run(() => PublishAsync(node), Stop)).ToList();
            var clients = Enumerable.Range(0, Clients).Select(client => Task.Run(() => ReceiveAsync(client), Stop)).ToList();
            var until = TimeProvider.System.GetTimestamp();
            while (TimeProvider.System.GetElapsedTime(until) < time)
            {
                await FaultAsync();
                await Task.Delay(Random.Shared.Next(50, 500), Stop);
            }

            _nodes.ForEach(node => node.Proxy.Heal());
            await _publishing.CancelAsync();
            await Task.WhenAll(publishers).WaitAsync(Rest, Stop);

            // All is well again: everyone gets to the last event.
            await WaitAsync(async () =>
            {
                var number = Interlocked.Increment(ref _next);
                _last = number;
                return await PublishAsync(0, [number], Stop) == "confirmed";
            });
            await Task.WhenAll(_arrived.Select(arrived => arrived.Task)).WaitAsync(Rest, Stop);
            await _receiving.CancelAsync();
            await Task.WhenAll(clients).WaitAsync(Rest, Stop);
            _epochs.Add(Numbers(await _primary.ExecuteAsync("XRANGE", Key, "-", "+")));
        }

        public Seen Judge()
        {
            foreach (var (epoch, index) in _epochs.Select((numbers, index) => (numbers, index)))
            {
                Require(epoch.Distinct().Count() == epoch.Count, $"Epoch {index} holds an event twice.");
            }

            foreach (var epoch in _epochs)
            {
                var held = epoch.ToHashSet();
                foreach (var numbers in _together.Where(numbers => numbers.Exists(held.Contains)))
                {
                    Require(IsRunOf(numbers, epoch), $"Of {string.Join(' ', numbers)}, published together, some were not stored, or others between them.");
                }
            }

            var stored = _epochs.SelectMany(numbers => numbers).ToHashSet();
            foreach (var (number, outcome) in _published)
            {
                Require(outcome != "confirmed" || stored.Contains(number), $"{number} was confirmed and never stored.");
                Require(outcome != "refused" || !stored.Contains(number), $"{number} was refused and is stored.");
            }

            foreach (var (items, client) in _received.Select((items, client) => (items, client)))
            {
                var run = new List<int>();
                foreach (var item in items.Append("end"))
                {
                    if (item is int number)
                    {
                        run.Add(number);
                    }
                    else if (item is "gap" or "end")
                    {
                        Require(run.Count == 0 || _epochs.Any(epoch => IsRunOf(run, epoch)), $"Client {client} was told of no gap within {string.Join(' ', run)}.");
                        run.Clear();
                    }
                }
            }

            return new Seen(
                _received.Sum(items => items.Count(item => item is int)),
                _published.Count(one => one.Value == "confirmed"),
                _published.Count(one => one.Value == "refused"),
                _published.Count(one => one.Value == "unknown"),
                _received.Sum(items => items.Count(item => item is "gap")),
                _resumes,
                _epochs.Count,
                _faults);
        }

        public async ValueTask DisposeAsync()
        {
            await _publishing.CancelAsync();
            await _receiving.CancelAsync();
            foreach (var (services, proxy) in _nodes)
            {
                await services.DisposeAsync();
                await proxy.DisposeAsync();
            }

            await _primary.DisposeAsync();
            await _replica.DisposeAsync();
        }

        private static void Require(bool holds, string fault)
        {
            if (!holds)
            {
                throw new InvalidOperationException(fault);
            }
        }

        private static bool IsRunOf(List<int> run, List<int> epoch)
        {
            var start = epoch.IndexOf(run[0]);
            return start >= 0 && start + run.Count <= epoch.Count && epoch.Skip(start).Take(run.Count).SequenceEqual(run);
        }

        private static List<int> Numbers(RedisResult entries) =>
            [.. ((RedisResult[])entries!).Select(entry => (string[])((RedisResult[])entry!)[1]!).Where(fields => fields.Length == 10)
                .Select(fields => int.Parse(fields[9]["data: ".Length..], CultureInfo.InvariantCulture))];

        private static async Task WaitAsync(Func<Task<bool>> condition)
        {
            using var guard = CancellationTokenSource.CreateLinkedTokenSource(Stop);
            guard.CancelAfter(Rest);
            while (!await condition())
            {
                await Task.Delay(20, guard.Token);
            }
        }

        private void Say(string what) => _history.Enqueue($"{DateTime.UtcNow:HH:mm:ss.fff} {what}");

        private async Task FaultAsync()
        {
            _faults++;
            var (_, proxy) = _nodes[Random.Shared.Next(_nodes.Count)];
            switch (Random.Shared.Next(16))
            {
                case 0 or 1 or 2:
                    Say("a node is cut off");
                    proxy.Cut();
                    break;
                case 3 or 4 or 5 or 6:
                    Say("all nodes are healed");
                    _nodes.ForEach(node => node.Proxy.Heal());
                    break;
                case 7 or 8:
                    Say("an answer gets lost");
                    proxy.LoseAnswerTo("data: ");
                    break;
                case 9:
                    Say("redis stands still");
                    await _primary.PauseAsync();
                    await Task.Delay(Random.Shared.Next(100, 900), Stop);
                    await _primary.ResumeAsync();
                    break;
                case 10:
                    Say("redis is killed and comes back with what it had on disk");
                    await _primary.KillAsync();
                    await Task.Delay(Random.Shared.Next(300), Stop);
                    await _primary.RunAsync();
                    break;
                case 11:
                    Say("redis forgets the scripts and its clients");
                    await _primary.ExecuteAsync("SCRIPT", "FLUSH");
                    await _primary.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub");
                    break;
                case 12 or 13:
                    Say("the data is gone");
                    await DestroyAsync(Random.Shared.Next(2) == 0 ? "redis.call('FLUSHALL')" : "redis.call('DEL', KEYS[1])");
                    break;
                case 14:
                    Say("somebody writes into the stream");
                    await _primary.ExecuteAsync("XADD", Key, "*", "foreign", "\u00FF");
                    break;
                default:
                    await FailOverAsync();
                    break;
            }
        }

        // In one step, so that what was there is known to the last event.
        private async Task DestroyAsync(string destroy) =>
            _epochs.Add(Numbers(await _primary.ExecuteAsync("EVAL", $"local all = redis.call('XRANGE', KEYS[1], '-', '+') {destroy} return all", 1, Key)));

        private async Task FailOverAsync()
        {
            await WaitAsync(async () => ((string)(await _replica.ExecuteAsync("INFO", "replication"))!).Contains("master_link_status:up", StringComparison.Ordinal));
            Say("the replica falls behind");
            await _replica.ExecuteAsync("REPLICAOF", "NO", "ONE");
            await Task.Delay(Random.Shared.Next(200), Stop);
            Say("the replica takes over");
            _nodes.ForEach(node => node.Proxy.LeadTo(_replica));

            // Nobody is connected to it any more: what it holds now is all that anybody can have received from it.
            _epochs.Add(Numbers(await _primary.ExecuteAsync("XRANGE", Key, "-", "+")));
            (_primary, _replica) = (_replica, _primary);
            await _replica.ExecuteAsync("REPLICAOF", "127.0.0.1", _primary.Port);
        }

        private async Task PublishAsync(int node)
        {
            while (!_publishing.IsCancellationRequested)
            {
                var burst = Random.Shared.Next(1, 10);
                for (var i = 0; i < burst; i++)
                {
                    var together = Random.Shared.Next(4) > 0 ? 1 : Random.Shared.Next(2, 6);
                    var last = Interlocked.Add(ref _next, together);
                    await PublishAsync(node, [.. Enumerable.Range(last - together + 1, together)], CancellationToken.None);
                }

                await Task.Delay(Random.Shared.Next(30), CancellationToken.None);
            }
        }

        private async Task<string> PublishAsync(int node, List<int> numbers, CancellationToken stop)
        {
            string outcome;
            try
            {
                var topics = _nodes[node].Services.GetRequiredService<ISseTopics>();
                if (numbers.Count == 1)
                {
                    await topics.PublishAsync("numbers", $"{numbers[0]}", stop);
                }
                else
                {
                    await topics.PublishAsync("numbers", [.. numbers.Select(number => new SseEvent($"{number}"))], stop);
                }

                outcome = "confirmed";
            }
            catch (SseUnknownOutcomeException)
            {
                outcome = "unknown";
            }
            catch (Exception exception) when (exception is RedisException or RedisTimeoutException)
            {
                outcome = "refused";
            }

            numbers.ForEach(number => _published[number] = outcome);
            _together.Enqueue(numbers);
            Say($"node {node} published {string.Join(' ', numbers)}: {outcome}");
            return outcome;
        }

        private async Task ReceiveAsync(int client)
        {
            string? id = null;
            while (!_receiving.IsCancellationRequested)
            {
                var node = Random.Shared.Next(_nodes.Count);
                using var leaving = CancellationTokenSource.CreateLinkedTokenSource(_receiving.Token);
                if (Random.Shared.Next(10) > 0)
                {
                    leaving.CancelAfter(Random.Shared.Next(20, 1_500));
                }

                Say($"client {client} comes to node {node} with {id}");
                try
                {
                    var topics = _nodes[node].Services.GetRequiredService<ISseTopics>();
                    await foreach (var item in topics.SubscribeAsync("numbers", id, SseStart.Earliest, cancellationToken: leaving.Token))
                    {
                        id = item.EventId;
                        _received[client].Add(item.EventType == "gap" ? "gap" : int.Parse(item.Data!, CultureInfo.InvariantCulture));
                        Say($"client {client} receives {_received[client][^1]} {id}");
                        if (item.Data == $"{Volatile.Read(ref _last)}")
                        {
                            _arrived[client].TrySetResult();
                        }
                    }
                }
                catch (Exception exception) when (exception is not OperationCanceledException)
                {
                    Say($"client {client} fails: {exception.GetBaseException().Message.Split('.')[0]}");
                    await Task.Delay(Random.Shared.Next(100), CancellationToken.None);
                }

                Interlocked.Increment(ref _resumes);
            }
        }
    }
}
