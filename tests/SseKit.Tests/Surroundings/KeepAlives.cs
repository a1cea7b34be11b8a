using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Surroundings;

internal static class KeepAlives
{
    /// <summary>Lets intervals pass until a keep-alive arrives.</summary>
    /// <remarks>
    /// Mostly it is one. But a client sees bytes a moment before the server is done with sending them, and an interval that passes in that
    /// moment is no silence.
    /// </remarks>
    public static async Task ExpectKeepAliveAsync(this ClientStream stream, FakeTimeProvider time)
    {
        var arrived = stream.ReadToAsync("\n");
        for (var intervals = 0; intervals < 10 && !arrived.IsCompleted; intervals++)
        {
            time.Advance(TimeSpan.FromSeconds(15));
            await Task.WhenAny(arrived, Task.Delay(TimeSpan.FromSeconds(1)));
        }

        Assert.Equal(":\n", await arrived);
    }
}
