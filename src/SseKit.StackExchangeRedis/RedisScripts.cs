using System.Reflection;

namespace SseKit.StackExchangeRedis;

/// <summary>The Lua that runs in Redis. StackExchange.Redis sends it as EVALSHA, and once more in full where Redis has forgotten it.</summary>
internal static class RedisScripts
{
    private static readonly string Chain = Text("chain.lua") + Text("lease.lua");

    public static string Publish { get; } = Chain + Text("publish.lua");

    public static string Read { get; } = Chain + Text("read.lua");

    public static string Producer { get; } = Chain + Text("producer.lua");

    private static string Text(string name)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
