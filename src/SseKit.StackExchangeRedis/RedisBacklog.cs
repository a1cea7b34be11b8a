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

    // What publish.lua answers instead of an id.
    private const string Fenced = "!";

    // The head, how much of the page is not of our making, and whether the head is an end; the entries follow.
    private const int SliceParts = 3;

    // What read.lua answers for each entry.
    private const int EntryParts = 6;

    private readonly string _writer = EntryId.NewWriter();
    private readonly RedisConnection _connection;
    private readonly RedisBells _bells;
    private readonly ForeignEntries _foreign;
    private readonly SseRedisOptions _options;
    private readonly RedisValue _expiry;
    private readonly RedisValue _maxAge;
    private long _sequence;

    public RedisBacklog(RedisConnection connection, SseRedisOptions options, ILogger logger)
    {
        _connection = connection;
        _options = options;
        _foreign = new ForeignEntries(logger);
        _bells = new RedisBells(connection, options.KeyPrefix);
        _expiry = Milliseconds(options.TopicExpiry);
        _maxAge = Milliseconds(options.MaxAge);
    }

    public async ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var link = await _connection.GetAsync(cancellationToken);
        var database = link.Database;
        var key = Key(topic);
        var mark = EntryId.Mark(_writer, Interlocked.Increment(ref _sequence));
        RedisValue[] arguments =
        [
            mark, append.EventType ?? "", append.Frame, _options.MaxEvents < TrimmedExactly ? "=" : "~", _options.MaxEvents, _maxAge, _expiry,
            link.ChannelPrefix + key, append.Key ?? "", append.Fence is { } fence ? fence : "", append.Outcome is { } outcome ? Word(outcome) : "", "",
        ];
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
                var answer = (RedisResult[])(await database.ScriptEvaluateAsync(RedisScripts.Publish, [key, LeaseKey.Of(key)], arguments, CommandFlags.DemandMaster)
                    .WaitAsync(cancellationToken))!;
                if (answer.Length != 2)
                {
                    throw (string?)answer[0] == Fenced ? new SseFencedException(topic) : new SseUnknownOutcomeException(topic, lost);
                }

                return new SseEntry
                {
                    Id = (string)answer[0]!,
                    PreviousId = (string)answer[1]!,
                    Frame = append.Frame,
                    EventType = append.EventType,
                    Key = append.Key,
                    IsEnd = append.Outcome is not null,
                };
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

            arguments[^1] = (long)Math.Ceiling(TimeProvider.System.GetElapsedTime(sent).TotalMilliseconds);
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

        RedisValue[] arguments = [number, mark, max, _maxAge, _expiry, EntryId.Mark(_writer, Interlocked.Increment(ref _sequence))];
        var answer = (RedisResult[])(await link.Database.ScriptEvaluateAsync(
            RedisScripts.Read, [Key(topic), LeaseKey.Of(Key(topic))], arguments, CommandFlags.DemandMaster).WaitAsync(cancellationToken))!;
        if ((int)answer[1] > 0)
        {
            _foreign.Skipped(topic);
        }

        var isEnded = (string?)answer[2] == "1";
        var entries = new List<SseEntry>((answer.Length - SliceParts) / EntryParts);
        for (var i = SliceParts; i + EntryParts <= answer.Length; i += EntryParts)
        {
            // Of a later version nothing but the chain is known. Left out, the event after it does not continue what came before: a gap is told.
            if ((string?)answer[i + 2] == "1")
            {
                entries.Add(Entry(topic, answer.AsSpan(i, EntryParts)));
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

    private SseEntry Entry(string topic, ReadOnlySpan<RedisResult> parts)
    {
        var frame = (byte[])parts[4]!;
        if (!StoredFrame.IsWhole(frame))
        {
            // In the chain, but not of our making: its place is kept, as a block that moves the client's position and fires no event.
            _foreign.Skipped(topic);
            frame = [];
        }

        return new SseEntry
        {
            Id = (string)parts[0]!,
            PreviousId = (string)parts[1]!,
            Frame = frame,
            EventType = TextOf(parts[3]),
            Key = TextOf(parts[5]),
        };
    }

    private static string? TextOf(RedisResult part) => (string?)part is { Length: > 0 } text ? text : null;
}
