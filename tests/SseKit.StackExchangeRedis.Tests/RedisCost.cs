using System.Globalization;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>What a piece of work costs a Redis by its own count, in microseconds: its processor's time, and of that what the commands themselves take.</summary>
internal sealed class RedisCost(RedisServer server)
{
    public async Task<double> OfAsync(Func<Task> work)
    {
        var before = await ProcessorAsync();
        await work();
        return await ProcessorAsync() - before;
    }

    /// <summary>Of one call of a command.</summary>
    public async Task<double> OfOneAsync(string command, Func<Task> work)
    {
        await server.ExecuteAsync("CONFIG", "RESETSTAT");
        await work();
        return await FieldAsync("commandstats", $"cmdstat_{command}:", "usec_per_call=");
    }

    private async Task<double> ProcessorAsync() =>
        (await FieldAsync("cpu", "used_cpu_user:", ":") + await FieldAsync("cpu", "used_cpu_sys:", ":")) * 1_000_000;

    private async Task<double> FieldAsync(string section, string start, string field)
    {
        var info = (string)(await server.ExecuteAsync("INFO", section))!;
        var line = info.Split('\n').Single(line => line.StartsWith(start, StringComparison.Ordinal));
        return double.Parse(line[(line.IndexOf(field, StringComparison.Ordinal) + field.Length)..].Split(',')[0], CultureInfo.InvariantCulture);
    }
}
