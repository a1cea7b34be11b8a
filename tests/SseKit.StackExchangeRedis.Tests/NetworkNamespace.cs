using System.Diagnostics;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>
/// A host of its own as Linux makes it up: with a line to the clients and another one to Redis, which can be pulled out. Made of addresses that
/// are set aside for such tests (RFC 2544), which lead nowhere else.
/// </summary>
internal sealed class NetworkNamespace : IAsyncDisposable
{
    private readonly string _name = $"ssekit{Random.Shared.Next(100_000, 1_000_000)}";
    private readonly string _subnet = $"198.{Random.Shared.Next(18, 20)}.{Random.Shared.Next(256)}";

    private NetworkNamespace()
    {
    }

    /// <summary>The address of the host, for its clients.</summary>
    public string Address => $"{_subnet}.2";

    /// <summary>The address of Redis, for the host.</summary>
    public string RedisAddress => $"{_subnet}.5";

    /// <summary>What runs a command within it.</summary>
    public string[] Within => ["ip", "netns", "exec", _name];

    /// <summary>Skips the test where it is not allowed. That is not for an installation to mend, so it never fails for it.</summary>
    public static async Task<NetworkNamespace> CreateAsync()
    {
        var made = new NetworkNamespace();
        try
        {
            await RunAsync("netns", "add", made._name);
            await made.ConnectAsync();
        }
        catch (Exception exception) when (exception is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            Assert.Skip($"No network namespaces with lines of their own here; they need Linux, iproute2 and root. {exception.Message}");
        }

        return made;
    }

    /// <summary>Pulls the line to Redis out. Nobody is told: what is sent is lost, in both directions.</summary>
    public async Task CutAsync() => await RunAsync("-n", _name, "link", "set", "redis", "down");

    /// <summary>What is sent to Redis is lost; what Redis sends arrives.</summary>
    public async Task MuteAsync() => await RunAsync("-n", _name, "route", "add", "blackhole", $"{RedisAddress}/32");

    public async Task HealAsync() => await RunAsync("-n", _name, "link", "set", "redis", "up");

    public async Task UnmuteAsync() => await RunAsync("-n", _name, "route", "delete", "blackhole", $"{RedisAddress}/32");

    public async ValueTask DisposeAsync() => await RunAsync("netns", "delete", _name);

    private async Task ConnectAsync()
    {
        try
        {
            await ConnectAsync("clients", $"{_subnet}.1", $"{_subnet}.2");
            await ConnectAsync("redis", $"{_subnet}.5", $"{_subnet}.6");
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    private async Task ConnectAsync(string line, string here, string there)
    {
        // Of at most 15 letters.
        var end = $"{_name}{line[0]}";
        await RunAsync("link", "add", end, "type", "veth", "peer", "name", line, "netns", _name);
        await RunAsync("address", "add", $"{here}/30", "dev", end);
        await RunAsync("link", "set", end, "up");
        await RunAsync("-n", _name, "address", "add", $"{there}/30", "dev", line);
        await RunAsync("-n", _name, "link", "set", line, "up");
    }

    private static async Task RunAsync(params string[] arguments)
    {
        using var ip = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
        var said = await ip.StandardError.ReadToEndAsync();
        await ip.WaitForExitAsync();
        if (ip.ExitCode != 0)
        {
            throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {said.Trim()}");
        }
    }
}
