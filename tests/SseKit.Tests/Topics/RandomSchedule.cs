using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace SseKit.Tests.Topics;

/// <summary>
/// One run of the whole way from <c>PublishAsync</c> to the bytes that clients receive, in an order of steps that a seed decides: publishers,
/// clients that come, filter, stall, are cut off at any byte and come back with ids right and wrong, time in which events age and topics are
/// dropped, a store that trims, restarts, fails over and throws.
/// </summary>
internal sealed class RandomSchedule : IDisposable
{
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(3);

    private readonly Random _random;
    private readonly SeededScheduler _scheduler;
    private readonly List<string>? _trace;
    private readonly FakeTimeProvider _time = new();
    private readonly List<TopicModel> _topics = [];
    private readonly List<Client> _clients = [];
    private readonly List<Publisher> _publishers = [];
    private readonly List<CapturedConnection> _connections = [];
    private readonly SlowPagingBacklog? _store;
    private readonly Queue<Action> _relayed = [];
    private readonly int _maxEvents;
    private readonly int _maxBytes;
    private readonly TimeSpan _maxAge;
    private readonly int _throwPercent;
    private readonly int _missPercent;
    private ServiceProvider _services;
    private bool _calm;
    private bool _hasThrown;
    private int _published;

    private RandomSchedule(int seed, List<string>? trace)
    {
        _random = new Random(seed);
        _scheduler = new SeededScheduler(_random);
        _trace = trace;
        _maxEvents = _random.Next(1, 11);
        _maxBytes = _random.Next(1024, 4096);
        _maxAge = OneOf(Timeout.InfiniteTimeSpan, TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(20));
        if (_random.Next(2) == 0)
        {
            _throwPercent = OneOf(0, 0, 2, 10);
            _missPercent = OneOf(0, 0, 30, 100);
            _store = new SlowPagingBacklog(_random.Next(1, 16), "s")
            {
                Pause = PauseAsync,
                PageSize = asked => _random.Next(1, Math.Min(asked, 5) + 1),
                Rings = () => _random.Next(100) >= _missPercent,
                OnStored = (topic, entries) =>
                {
                    foreach (var entry in entries)
                    {
                        Topic(topic).Appended(entry.Id, entry.PreviousId, DataOf(entry));
                    }

                    Observe();
                },
            };
        }

        _services = Start();
        Trace($"{(_store is null ? "in memory" : "slow store")}, {_maxEvents} events, {_maxBytes} bytes, {_maxAge}, throws {_throwPercent} %, misses {_missPercent} %");
        for (var i = _random.Next(1, 3); i > 0; i--)
        {
            _topics.Add(new TopicModel($"t{i}"));
        }

        Observe();
        for (var i = _random.Next(1, 4); i > 0; i--)
        {
            _publishers.Add(new Publisher());
        }

        for (var i = _random.Next(1, 5); i > 0; i--)
        {
            _clients.Add(new Client($"c{i}", OneOf([.. _topics]), OneOf(Enum.GetValues<SseStart>()), OneOf(Enum.GetValues<SseGapAction>()), _random.Next(4) != 0, _store is not null,
                OneOf(null, null, null, "0", "1", "no"), _random.Next(2) == 0));
        }
    }

    public int Events => _clients.Sum(client => client.Model.Events);

    public int Gaps => _clients.Sum(client => client.Model.Gaps);

    public int Resumes => _clients.Sum(client => client.Model.Resumes);

    public int Told => _clients.Sum(client => client.Model.Told);

    public int Heard => _clients.Sum(client => client.Model.Heard);

    /// <summary>Runs the schedule of a seed; throws when something happens that the model does not allow.</summary>
    public static (int Events, int Gaps, int Resumes, int Told, int Heard) Run(int seed, List<string>? trace = null)
    {
        var before = SynchronizationContext.Current;
        using var schedule = new RandomSchedule(seed, trace);
        SynchronizationContext.SetSynchronizationContext(schedule._scheduler);
        try
        {
            schedule.Run();
            return (schedule.Events, schedule.Gaps, schedule.Resumes, schedule.Told, schedule.Heard);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    public void Dispose()
    {
        _services.Dispose();
        foreach (var connection in _connections)
        {
            connection.Dispose();
        }
    }

    private void Run()
    {
        for (var steps = _random.Next(50, 400); steps > 0; steps--)
        {
            Act();
            _scheduler.CheckThread();
        }

        // Who has left must have been let go, and who comes back now must get everything.
        foreach (var client in _clients.Where(client => client.Connection is null))
        {
            Connect(client, client.Model.LastId);
        }

        Settle();
        foreach (var client in _clients)
        {
            Drop(client);
        }

        Drain();
        foreach (var connection in _connections)
        {
            Require(connection.Request.IsCompleted, "A request was not let go.");
            connection.Request.GetAwaiter().GetResult();
        }

        foreach (var publisher in _publishers)
        {
            Require(publisher.Publishing.IsCompleted, "A publisher still waits.");
            publisher.Publishing.GetAwaiter().GetResult();
        }

        Require(_store is null || _store.Watches == 0, "A watch of the store was left open.");
    }

    private void Act()
    {
        switch (_random.Next(100))
        {
            case < 50:
                _scheduler.Step();
                break;
            case < 65:
                if (_random.Next(4) == 0)
                {
                    SendEphemeral(OneOf([.. _topics]));
                }
                else if (_publishers.FirstOrDefault(publisher => publisher.Publishing.IsCompletedSuccessfully) is { } idle)
                {
                    idle.Publishing = PublishAsync(idle, OneOf([.. _topics]));
                }

                break;
            case < 75:
                var coming = OneOf([.. _clients]);
                if (coming.Connection is null)
                {
                    Connect(coming, IdFor(coming));
                }

                break;
            case < 85:
                var reading = OneOf([.. _clients]);
                Deliver(reading, _random.Next(1, 400));
                break;
            case < 89:
                Drop(OneOf([.. _clients]));
                break;
            case < 92:
                if (OneOf([.. _clients]).Connection is { } connection)
                {
                    if (connection.IsStalled)
                    {
                        connection.ReadOn();
                    }
                    else
                    {
                        connection.Stall();
                    }
                }

                break;
            case < 94:
                Advance(_random.Next(1, 8));
                break;
            case < 95 when _store is not null:
                Trace("trim");
                _store.Trim(OneOf([.. _topics]).Name, _random.Next(0, 4));
                Observe();
                break;
            case < 96 when _random.Next(3) == 0:
                Restart();
                break;
            case < 97 when _store is not null && _random.Next(2) == 0:
                Trace("fail-over");
                _store.FailOver(_random.Next(1, 4));
                Observe();
                break;
            case < 98 when _random.Next(3) == 0:
                Settle();
                break;
            case < 99 when _random.Next(3) == 0:
                // Long enough for a topic that nobody uses.
                Advance(_random.Next(75, 100));
                break;
        }
    }

    /// <summary>Lets everything come to rest: everybody who is connected must be up to date then.</summary>
    private void Settle()
    {
        Trace("settle");
        _calm = true;
        foreach (var client in _clients)
        {
            client.Connection?.ReadOn();
        }

        Drain();

        // A bell that was missed, or a look at the store that failed, is made up for by the poll, and by nothing else.
        if (_missPercent > 0 || _throwPercent > 0)
        {
            for (var polls = 0; polls < 2; polls++)
            {
                Advance(5);
                Drain();
            }
        }
        else if (_store is not null)
        {
            // Wipes and fail-overs ring no bell.
            foreach (var topic in _topics)
            {
                _store.Ring(topic.Name);
            }

            Drain();
        }

        foreach (var client in _clients)
        {
            if (client.Connection is { IsOver: false })
            {
                client.Model.CheckUpToDate();
                client.Model.Established();
            }
        }

        // By now each was silent for long enough to be told where it is.
        for (var turns = 0; turns < 2; turns++)
        {
            Advance((int)KeepAlive.TotalSeconds);
            Drain();
        }

        foreach (var client in _clients.Where(client => client.Connection is { IsOver: false }))
        {
            client.Model.CheckTold();
        }

        _calm = false;
    }

    private void Advance(int seconds)
    {
        Trace($"{seconds} s go by");
        _time.Advance(TimeSpan.FromSeconds(seconds));
        Observe();
    }

    private void Drain()
    {
        Relay(int.MaxValue);
        for (var steps = 0; _scheduler.Step(); steps++)
        {
            Require(steps < 100_000, "It does not come to rest.");
        }

        foreach (var client in _clients)
        {
            Deliver(client, int.MaxValue);
        }
    }

    private async Task PublishAsync(Publisher publisher, TopicModel topic)
    {
        var items = Enumerable.Range(0, OneOf(1, 1, 1, _random.Next(2, 5))).Select(_ => NewEvent()).ToArray();
        Trace($"publish {string.Join(" and ", items.Select(item => $"{item.Data!.Length} bytes"))} up to {_published} to {topic.Name}");
        IReadOnlyList<string> ids;
        try
        {
            var topics = _services.GetRequiredService<ISseTopics>();
            ids = items.Length == 1 ? [await topics.PublishAsync(topic.Name, items[0])] : await topics.PublishAsync(topic.Name, items);
        }
        catch (StoreException)
        {
            return;
        }
        catch (ArgumentException) when (_store is null && items.Length > 1)
        {
            Require(items.Length > _maxEvents || items.Sum(item => item.Data!.Length + 100) > _maxBytes, "Too many events at once, and they were not.");
            return;
        }

        for (var i = 0; i < ids.Count; i++)
        {
            if (_store is null)
            {
                topic.Appended(ids[i], topic.Head.Id, items[i].Data!);
            }

            var node = topic.Find(ids[i]);
            Require(node?.Data == items[i].Data, $"PublishAsync returned {ids[i]}, which is {node}.");
            Require(i == 0 || node!.Parent!.Id == ids[i - 1], $"{node} was published together with what it does not follow.");
            Require(!publisher.Last.TryGetValue(topic, out var last) || last < node!.Ordinal, "Awaited publishes were turned round.");
            publisher.Last[topic] = node!.Ordinal;
            Trace($"published {node}");
        }

        Observe();
    }

    private SseEvent NewEvent()
    {
        var type = OneOf(null, "tick");
        var data = $"{type ?? "message"} {++_published}{OneOf("", "\nof two lines", new string('.', _random.Next(600)))}";
        return new SseEvent(data, type) { Key = ReaderModel.KeyOf(data) };
    }

    private void SendEphemeral(TopicModel topic)
    {
        Relay(_random.Next(3));
        var data = $"{ReaderModel.EphemeralType} {topic.Ephemerals.Count}";
        Trace($"send {data} to {topic.Name}");
        topic.Ephemerals.Add(topic.Head);
        var sent = _services.GetRequiredService<ISseTopics>().PublishEphemeralAsync(
            topic.Name, new SseEvent(data, ReaderModel.EphemeralType) { Key = ReaderModel.KeyOf(data) });
        Require(sent.IsCompletedSuccessfully, "Sending does not wait for anybody.");
    }

    /// <summary>Hands over some of what is on its way between the nodes; now and then one is lost.</summary>
    private void Relay(int count)
    {
        while (count-- > 0 && _relayed.TryDequeue(out var deliver))
        {
            if (_random.Next(10) > 0)
            {
                deliver();
            }
        }
    }

    private void Connect(Client client, string? id)
    {
        // At most one at a time, as a browser does it.
        Trace($"{client.Name} comes with {Name(id)}");
        client.Model.Connect(id);
        var connection = new CapturedConnection
        {
            OnFlush = () =>
            {
                _scheduler.CheckThread();
                if (_store is null)
                {
                    client.Model.Established();
                }
            },
        };
        _connections.Add(connection);
        client.Connection = connection;
        var context = new DefaultHttpContext { RequestServices = _services };
        context.Features.Set<IHttpResponseBodyFeature>(connection);
        context.Features.Set<IHttpRequestLifetimeFeature>(connection);
        if (id is not null && _random.Next(3) == 0)
        {
            context.Request.QueryString = QueryString.Create("lastEventId", id);
        }
        else if (id is not null)
        {
            context.Request.Headers["Last-Event-ID"] = id.Split(',');
        }

        var result = EventSourceResult.FromTopic(client.Model.Topic.Name, options =>
        {
            (options.Start, options.OnGap, options.SendStartPosition) = (client.Start, client.OnGap, client.SendStartPosition);
            options.Snapshot = (_, stop) => SnapshotAsync(client, stop);
            options.Filter = client.Key is null ? null : _ => item => item.Key == client.Key;
            options.SendCheckpoints = client.Model.Checkpoints;
        });
        connection.Request = ServeAsync(client, connection, result.ExecuteAsync(context));
    }

    private async Task ServeAsync(Client client, CapturedConnection connection, Task request)
    {
        await request;
        _scheduler.CheckThread();
        connection.End();
        if (client.Connection == connection)
        {
            Require(_hasThrown, "A stream ended by itself.");
            Trace($"{client.Name} is told to come back");
        }
    }

    private async IAsyncEnumerable<SseEvent> SnapshotAsync(Client client, [EnumeratorCancellation] CancellationToken stop)
    {
        var newest = client.Model.Topic.Head.Ordinal.ToString(CultureInfo.InvariantCulture);
        Trace($"snapshot of {client.Model.Topic.Head} for {client.Name}");
        for (var count = _random.Next(client.SendStartPosition ? 0 : 1, 4); count > 0; count--)
        {
            if (_random.Next(2) == 0)
            {
                await Task.Yield();
                stop.ThrowIfCancellationRequested();
            }

            if (_random.Next(5) == 0)
            {
                yield return SseEvent.Comment("still counting");
            }

            yield return new SseEvent(newest, ReaderModel.SnapshotType);
        }
    }

    private void Deliver(Client client, int count)
    {
        if (client.Connection is not { Unreceived: > 0 } connection)
        {
            Forget(client);
            return;
        }

        var bytes = connection.Receive(count);
        client.Model.Receive(bytes);
        Trace($"{client.Name} receives {bytes.Length} bytes and is at {client.Model.At}");
        Forget(client);
    }

    /// <summary>A stream that has ended and was received to its end is no connection any more.</summary>
    private static void Forget(Client client)
    {
        if (client.Connection is { IsOver: true, Unreceived: 0 })
        {
            client.Connection = null;
        }
    }

    /// <summary>Cut off at any byte: what was sent and not yet received is lost, and the id that was committed stays.</summary>
    private void Drop(Client client)
    {
        if (client.Connection is { } connection)
        {
            Trace($"{client.Name} leaves with {Name(client.Model.LastId)}");
            client.Connection = null;
            connection.Leave();
        }
    }

    private void Restart()
    {
        Trace("restart");
        if (_store is not null)
        {
            _store.Wipe();
        }
        else
        {
            foreach (var client in _clients)
            {
                Drop(client);
            }

            Drain();
            _services.Dispose();
            _services = Start();
        }

        Observe();
    }

    private ServiceProvider Start()
    {
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(_time);
        if (_store is not null)
        {
            services.AddSingleton<ISseBacklog>(new RelayingBacklog(_store) { Deliver = _relayed.Enqueue });
        }

        services.AddSingleton(_scheduler.Topics);
        services.AddSse(options =>
        {
            (options.MaxEventsPerTopic, options.MaxBytesPerTopic, options.MaxEventAge) = (_maxEvents, _maxBytes, _maxAge);
            (options.IdleTopicTimeout, options.BacklogPollInterval) = (TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(5));

            options.KeepAliveInterval = KeepAlive;

            // A client may stall for as long as the schedule likes; that it is cut off some day is another test's business.
            options.WriteTimeout = Timeout.InfiniteTimeSpan;
        });
        return services.BuildServiceProvider();
    }

    private async ValueTask PauseAsync(SlowPagingBacklog.Moment moment, CancellationToken stop)
    {
        _scheduler.CheckThread();
        for (var pauses = _random.Next(3); pauses > 0; pauses--)
        {
            await Task.Yield();
        }

        stop.ThrowIfCancellationRequested();
        if (!_calm && _random.Next(100) < _throwPercent)
        {
            _hasThrown = true;
            Trace($"the store throws {moment}");
            throw new StoreException();
        }
    }

    /// <summary>Looks at what can be had now, past all slowness.</summary>
    private void Observe()
    {
        foreach (var topic in _topics)
        {
            var slice = _store?.Look(topic.Name, null, int.MaxValue)
                ?? _services.GetRequiredService<ISseBacklog>().ReadAsync(topic.Name, null, int.MaxValue, CancellationToken.None).AsTask().GetAwaiter().GetResult();
            topic.Observe(slice.Head, slice.Entries.Count > 0 ? slice.Entries[0].PreviousId : slice.Head);
        }
    }

    /// <summary>The id that a client comes with: mostly its own.</summary>
    private string? IdFor(Client client)
    {
        var topic = client.Model.Topic;
        return _random.Next(20) switch
        {
            0 => null,
            1 => OneOf([.. topic.All]).Id,
            2 => OneOf([.. OneOf([.. _topics]).All]).Id,
            3 => topic.Head.Id + "0000",
            4 => OneOf("0", "-", "garbage", topic.Head.Id[..^1], "no id", "a/b", new string('1', 64), new string('1', 65), "\u00fc"),
            5 => $"{topic.Head.Id},{topic.Base.Id}",
            _ => client.Model.LastId,
        };
    }

    private string Name(string? id) => id is null ? "no id" : _topics.Select(topic => topic.Find(id)).FirstOrDefault(node => node is not null)?.ToString() ?? "an unknown id";

    private TopicModel Topic(string name) => _topics.First(topic => topic.Name == name);

    private static string DataOf(SseEntry entry)
    {
        var frame = System.Text.Encoding.UTF8.GetString(entry.Frame.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return string.Join('\n', frame.Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line["data: ".Length..]));
    }

    private T OneOf<T>(params T[] choices) => choices[_random.Next(choices.Length)];

    private void Trace(string line) => _trace?.Add(line);

    private static void Require(bool holds, string fault)
    {
        if (!holds)
        {
            throw new ScheduleException(fault);
        }
    }

    private sealed class StoreException : Exception;

    private sealed class Publisher
    {
        public Task Publishing { get; set; } = Task.CompletedTask;

        public Dictionary<TopicModel, int> Last { get; } = [];
    }

    private sealed class Client(
        string name, TopicModel topic, SseStart start, SseGapAction onGap, bool sendStartPosition, bool mayLag, string? key, bool checkpoints)
    {
        public string Name => name;

        public SseStart Start => start;

        public SseGapAction OnGap => onGap;

        public bool SendStartPosition => sendStartPosition;

        /// <summary>The key of the events that it wants; null for all.</summary>
        public string? Key => key;

        public ReaderModel Model { get; } = new(topic, start, onGap, sendStartPosition)
        {
            MayLag = mayLag,
            Wants = data => key is null || ReaderModel.KeyOf(data) == key,
            Checkpoints = checkpoints,
        };

        public CapturedConnection? Connection { get; set; }
    }
}
