using StackExchange.Redis;

namespace SseKit.StackExchangeRedis;

/// <summary>Tries what topics need, and says in words what does not work.</summary>
internal sealed class RedisProbe(RedisConnection connection, SseRedisOptions options)
{
    // All that topics do, to a key that is not there and stays so: no topic has a control character in its name.
    private const string Script = """
        local key = KEYS[1]
        redis.call('XADD', key, 'NOMKSTREAM', '*', 'v', '1')
        redis.call('XTRIM', key, 'MAXLEN', 0)
        redis.call('XRANGE', key, '-', '+', 'COUNT', 1)
        redis.call('XREVRANGE', key, '+', '(0-0', 'COUNT', 1)
        redis.call('PEXPIRE', key, 1)
        redis.call('TIME')
        redis.call('PUBLISH', ARGV[1], '')
        """;

    /// <summary>Null when all is well.</summary>
    public async ValueTask<(string Reason, Exception Cause)?> FaultAsync(CancellationToken cancellationToken)
    {
        try
        {
            var link = await connection.GetAsync(cancellationToken);
            var key = options.KeyPrefix + '\n';
            await link.Database.ScriptEvaluateAsync(Script, [key], [link.ChannelPrefix + key], CommandFlags.DemandMaster | CommandFlags.NoScriptCache)
                .WaitAsync(cancellationToken);
            return null;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            return (Reason(exception), exception);
        }
    }

    private string Reason(Exception exception)
    {
        var text = Texts(exception);
        return text switch
        {
            _ when Has("WRONGPASS") || Has("NOAUTH") || Has("AuthenticationFailure") || Has("invalid password") =>
                "Redis refuses the user or the password; correct them in the connection string.",
            _ when Has("DB index is out of range") || Has("database does not exist") =>
                $"Redis has no database {options.Database ?? options.Configuration?.DefaultDatabase}; set {nameof(SseRedisOptions)}.{nameof(SseRedisOptions.Database)} to one that it has.",
            _ when Has("unknown command") || Has("Unknown Redis command") || Has("Invalid stream ID") =>
                "this Redis is too old or no Redis: topics need Redis 6.2 or later, or Valkey, with Streams and scripts.",
            _ when Has("NOPERM") || Has("ACL") || Has("user executing the script") =>
                "the Redis user may not do what topics need: EVALSHA, EVAL, SCRIPT LOAD, the stream commands, PEXPIRE, TIME, PUBLISH and SUBSCRIBE, on the keys and channels under the prefix.",
            _ when Has("OOM") => "Redis is full and refuses events; raise its maxmemory, or keep fewer or younger events.",
            _ when exception is RedisConnectionException => "Redis can't be reached, or only a replica of it, which takes no events; see whether it runs and whether the address in the connection string is right.",
            _ => $"{exception.Message}",
        };

        bool Has(string part) => text.Contains(part, StringComparison.OrdinalIgnoreCase);
    }

    private static string Texts(Exception? exception)
    {
        var texts = new List<string>();
        for (; exception is not null; exception = exception.InnerException)
        {
            texts.Add(exception.Message);
            if (exception is RedisConnectionException { FailureType: var failure })
            {
                texts.Add(failure.ToString());
            }
        }

        return string.Join('\n', texts);
    }
}
