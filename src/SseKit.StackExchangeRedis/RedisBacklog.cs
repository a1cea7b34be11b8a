using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis;

/// <summary>Topics in Redis, each one stream under one key: so nothing ever needs two slots of a cluster, and what is lost is lost together.</summary>
internal sealed partial class RedisBacklog : ISseBacklog, ISseRelay
{
    // How long an event whose answer was lost with the connection waits for the next one, to be sent again.
    private static readonly TimeSpan ResendWithin = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(25);

    // Up to here a trim by whole blocks would keep many times what was asked for, and an exact one costs next to nothing.
    private const int TrimmedExactly = 100;

    // What publish.lua takes: some for all events, and some for each.
    private const int SharedArguments = 8;
    private const int ElapsedArgument = 5;
    private const int ArgumentsEach = 4;

    // What it answers instead of ids.
    private const string Fenced = "!";

    // What read.lua answers: some for all entries, and some for each.
    private const int AnswerParts = 4;
    private const int EntryParts = 6;

    private readonly string _writer = EntryId.NewWriter();
    private readonly RedisConnection _connection;
    private readonly RedisBells _bells;
    private readonly ForeignEntries _foreign;
    private readonly SseRedisOptions _options;
    private readonly SseOptions _topics;
    private long _sequence;

    public RedisBacklog(RedisConnection connection, SseRedisOptions options, SseOptions topics, ILogger logger)
    {
        _connection = connection;
        _options = options;
        _topics = topics;
        _foreign = new ForeignEntries(logger);
        _bells = new RedisBells(connection, options.KeyPrefix);
    }

    public async ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) =>
        (await AppendAsync(topic, [append], cancellationToken))[0];

    public async ValueTask<IReadOnlyList<SseEntry>> AppendAsync(string topic, IReadOnlyList<SseAppend> appends, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var retention = RedisRetention.Of(topic, _topics, _options);
        if (appends.Count > retention.MaxEvents && appends[0].Fence is null)
        {
            throw new ArgumentException(
                $"{appends.Count} events are more than the topic '{topic}' keeps: the first would be gone before anybody could read them, so none was published. Publish fewer at once, or raise SseRedisOptions.MaxEvents or the topic's rule in SseOptions.Retention.",
                nameof(appends));
        }

        var link = await _connection.GetAsync(cancellationToken);
        var database = link.Database;
        var key = Key(topic);
        var arguments = new RedisValue[SharedArguments + (appends.Count * ArgumentsEach)];
        arguments[0] = retention.MaxEvents < TrimmedExactly ? "=" : "~";
        arguments[1] = retention.MaxEvents;
        arguments[2] = Milliseconds(retention.MaxAge);
        arguments[3] = Milliseconds(retention.Expiry);
        arguments[4] = link.ChannelPrefix + key;
        arguments[ElapsedArgument] = "";
        arguments[6] = appends[0].Fence is { } fence ? fence : "";
        arguments[7] = appends[^1].Outcome is { } outcome ? Word(outcome) : "";
        var sequence = Interlocked.Add(ref _sequence, appends.Count) - appends.Count;
        for (var (i, at) = (0, SharedArguments); i < appends.Count; i++)
        {
            arguments[at++] = EntryId.Mark(_writer, ++sequence);
            arguments[at++] = appends[i].EventType ?? "";
            arguments[at++] = appends[i].Frame;
            arguments[at++] = appends[i].Key ?? "";
        }

        if (!database.IsConnected(key, CommandFlags.DemandMaster))
        {
            throw Away(link.Connection);
        }

        var sent = TimeProvider.System.GetTimestamp();
        Exception? lost = null;
        while (true)
        {
            try
            {
                var answer = await RedisScripts.RunAsync(database, RedisScripts.Publish, key, arguments, cancellationToken);
                if ((string?)answer[0] == Fenced)
                {
                    throw new SseFencedException(topic);
                }

                return answer.Length == 1 + appends.Count ? Stored(appends, answer) : throw new SseUnknownOutcomeException(topic, lost);
            }
            catch (Exception exception) when (lost is null && WasRefused(exception))
            {
                throw;
            }
            catch (RedisConnectionException exception)
            {
                // The answer was lost with the connection. The script knows the event by its mark, so it may be sent again.
                lost ??= exception;
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException or OperationCanceledException or ObjectDisposedException)
            {
                // Timed out, it still waits for the answer on the same connection: sending it again would only wait behind it.
                throw new SseUnknownOutcomeException(topic, lost ?? exception);
            }

            if (!await IsBackAsync(database, key, sent, cancellationToken))
            {
                throw new SseUnknownOutcomeException(topic, lost);
            }

            arguments[ElapsedArgument] = (long)Math.Ceiling(TimeProvider.System.GetElapsedTime(sent).TotalMilliseconds);
        }
    }

    public async ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var link = await _connection.GetAsync(cancellationToken);
        if (after is null || !EntryId.TryParse(after, out var number, out var mark))
        {
            (number, mark) = ("", "");
        }

        var retention = RedisRetention.Of(topic, _topics, _options);
        RedisValue[] arguments = [number, mark, max, Milliseconds(retention.MaxAge), Milliseconds(retention.Expiry), EntryId.Mark(_writer, Interlocked.Increment(ref _sequence))];
        var answer = await RedisScripts.RunAsync(link.Database, RedisScripts.Read, Key(topic), arguments, cancellationToken);
        if ((int)answer[1] > 0)
        {
            _foreign.Skipped(topic);
        }

        var now = (long)answer[2];
        var isEnded = (string?)answer[3] == "1";
        var entries = new List<SseEntry>((answer.Length - AnswerParts) / EntryParts);
        for (var i = AnswerParts; i + EntryParts <= answer.Length; i += EntryParts)
        {
            // Of a later version nothing but the chain is known. Left out, the event after it does not continue what came before: a gap is told.
            if ((string?)answer[i + 2] == "1")
            {
                entries.Add(Entry(topic, now, answer.AsSpan(i, EntryParts)));
            }
        }

        var head = (string)answer[0]!;
        if (isEnded && entries.Count > 0 && entries[^1].Id == head)
        {
            entries[^1] = entries[^1] with { IsEnd = true };
        }

        return new SseSlice { Head = head, Entries = entries, IsEnded = isEnded };
    }

    public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _bells.WatchAsync(topic, grown, cancellationToken);
    }

    public async ValueTask SendAsync(string topic, SseAppend item, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var link = await _connection.GetAsync(cancellationToken);
        if (!link.Database.IsConnected(Key(topic), CommandFlags.DemandMaster))
        {
            throw Away(link.Connection);
        }

        await link.Subscriber.PublishAsync(_bells.Channel(topic), EphemeralMessage.Encode(item)).WaitAsync(cancellationToken);
    }

    public ValueTask<IAsyncDisposable> ListenAsync(string topic, Action<SseAppend> received, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _bells.ListenAsync(topic, received, cancellationToken);
    }

    private static RedisValue Milliseconds(TimeSpan span) => span == Timeout.InfiniteTimeSpan ? 0 : (long)span.TotalMilliseconds;

    /// <summary>Whether Redis has certainly not got it: it said so, or it never was sent.</summary>
    private static bool WasRefused(Exception exception) => exception switch
    {
        RedisServerException or RedisCommandException => true,
        RedisConnectionException { CommandStatus: CommandStatus.WaitingToBeSent or CommandStatus.WaitingInBacklog } => true,
        RedisTimeoutException { Commandstatus: CommandStatus.WaitingToBeSent or CommandStatus.WaitingInBacklog } => true,
        _ => false,
    };

    private static RedisConnectionException Away(IConnectionMultiplexer connection) =>
        new(ConnectionFailureType.UnableToConnect, CommandFlags.None, $"Redis is not connected ({connection.GetStatus()}); nothing was published.", null, CommandStatus.WaitingToBeSent);

    private static async ValueTask<bool> IsBackAsync(IDatabase database, RedisKey key, long since, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested && TimeProvider.System.GetElapsedTime(since) < ResendWithin)
        {
            if (database.IsConnected(key, CommandFlags.DemandMaster))
            {
                return true;
            }

            await Task.Delay(LookAgain, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return false;
    }

    private string Key(string topic) => _options.KeyPrefix + topic;

    private static SseEntry[] Stored(IReadOnlyList<SseAppend> appends, RedisResult[] answer)
    {
        var entries = new SseEntry[appends.Count];
        for (var i = 0; i < entries.Length; i++)
        {
            entries[i] = new SseEntry
            {
                Id = (string)answer[i + 1]!,
                PreviousId = (string)answer[i]!,
                Frame = appends[i].Frame,
                EventType = appends[i].EventType,
                Key = appends[i].Key,
                IsEnd = appends[i].Outcome is not null,
            };
        }

        return entries;
    }

    private SseEntry Entry(string topic, long now, ReadOnlySpan<RedisResult> parts)
    {
        var frame = (byte[])parts[4]!;
        if (!StoredFrame.IsWhole(frame))
        {
            // In the chain, but not of our making: its place is kept, as a block that moves the client's position and fires no event.
            _foreign.Skipped(topic);
            frame = [];
        }

        var id = (string)parts[0]!;
        return new SseEntry
        {
            Id = id,
            Age = EntryId.Age(id, now),
            PreviousId = (string)parts[1]!,
            Frame = frame,
            EventType = TextOf(parts[3]),
            Key = TextOf(parts[5]),
        };
    }

    private static string? TextOf(RedisResult part) => (string?)part is { Length: > 0 } text ? text : null;
}
