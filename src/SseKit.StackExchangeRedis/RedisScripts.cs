using System.Reflection;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis;

/// <summary>The Lua that runs in Redis. StackExchange.Redis sends it as EVALSHA, and once more in full where Redis has forgotten it.</summary>
internal static class RedisScripts
{
    // A slot with few keys is moved within milliseconds, one with many within seconds.
    private static readonly TimeSpan MoveTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromMilliseconds(20);

    private static readonly string Chain = Text("chain.lua") + Text("lease.lua");

    public static string Publish { get; } = Chain + Text("publish.lua");

    public static string Read { get; } = Chain + Text("read.lua");

    public static string Producer { get; } = Chain + Text("producer.lua");

    /// <summary>
    /// Runs a script on a topic and its lease. While a Cluster moves their slot, one of the two may have gone ahead: then nothing has run, and it
    /// is tried again.
    /// </summary>
    public static async Task<RedisResult[]> RunAsync(IDatabase database, string script, string key, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return (RedisResult[])(await database.ScriptEvaluateAsync(script, [key, LeaseKey.Of(key)], arguments, CommandFlags.DemandMaster)
                    .WaitAsync(cancellationToken))!;
            }
            catch (RedisServerException exception) when (
                exception.Message.StartsWith("TRYAGAIN", StringComparison.Ordinal) && TimeProvider.System.GetElapsedTime(began) < MoveTime)
            {
                await Task.Delay(TryAgainAfter, cancellationToken);
            }
        }
    }

    private static string Text(string name)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
