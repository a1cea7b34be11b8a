using System.Runtime.CompilerServices;

namespace SseKit.Tests.Streaming;

/// <summary>Small sources.</summary>
internal static class Events
{
    /// <summary>Events that are all at hand: this source never waits.</summary>
    public static IAsyncEnumerable<SseEvent> Of(params string[] data) => Values(data.Select(text => new SseEvent(text)));

#pragma warning disable CS1998 // No await, since it must never be pending.
    public static async IAsyncEnumerable<T> Values<T>(IEnumerable<T> items)
    {
        foreach (var item in items)
        {
            yield return item;
        }
    }

    /// <summary>Gives some events and then throws, without ever waiting.</summary>
    public static async IAsyncEnumerable<SseEvent> Failing(Exception exception, params string[] before)
    {
        foreach (var text in before)
        {
            yield return text;
        }

        throw exception;
    }
#pragma warning restore CS1998

    /// <summary>Waits for its token and for nothing else.</summary>
    public static async IAsyncEnumerable<SseEvent> Silence([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.Delay(Timeout.Infinite, cancellationToken);
        yield break;
    }

    /// <summary>Gives an event and waits for a token of its own choice, which breaks it before anybody else hears of it.</summary>
    public static async IAsyncEnumerable<SseEvent> ThenSilence(string data, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return data;
        var cancelled = new TaskCompletionSource();
        await using var registered = cancellationToken.Register(() => cancelled.TrySetCanceled(cancellationToken));
        await cancelled.Task;
    }
}
