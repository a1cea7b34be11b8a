using System.Diagnostics;

namespace SseKit.StackExchangeRedis.Tests;

internal static class Signals
{
    /// <summary><c>-STOP</c> stops a process in its tracks, with its connections open; <c>-CONT</c> lets it go on.</summary>
    public static async Task SendAsync(Process process, string signal)
    {
        using var kill = Process.Start("kill", [signal, $"{process.Id}"]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }
}
