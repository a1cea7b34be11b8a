using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Surroundings;

internal static class KeepAlives
{
    /// <summary>Three events, each given only once the one before it was read: what is held back anywhere never arrives.</summary>
    public static async Task ExpectEventsOneByOneAsync(this ClientStream stream, HandSource source)
    {
        for (var number = 1; number <= 3; number++)
        {
            await source.IsWaitedForAsync(times: number);
            source.Emit($"{number}");
            await stream.ExpectAsync($"data: {number}\n\n");
        }
    }

    /// <summary>Events one by one, and then silence until a keep-alive arrives.</summary>
    public static async Task ExpectEventsAndKeepAliveAsync(this ClientStream stream, HandSource source, FakeTimeProvider time)
    {
        await stream.ExpectEventsOneByOneAsync(source);
        await source.IsWaitedForAsync(times: 4);
        await stream.ExpectKeepAliveAsync(time);
    }

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
