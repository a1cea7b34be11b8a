using System.Runtime.CompilerServices;
using System.Text;
using SseKit.Waiting;

namespace SseKit.Producing;

/// <summary>
/// Joins pieces of text that arrive within a window: it opens with the first of them. What has arrived goes out when the window closes, when it
/// is long, and before the end, whatever the end is.
/// </summary>
internal static class Coalescing
{
    private const int LongEnough = 16 * 1024;

    public static async IAsyncEnumerable<string> Read(
        IAsyncEnumerable<string?> pieces, TimeSpan window, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var wake = new AsyncSignal();
        var text = new StringBuilder();
        var hasText = false;
        long opened = 0;
        await using var timer = time.CreateTimer(static wake => ((AsyncSignal)wake!).Set(), wake, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        await using var reading = pieces.GetAsyncEnumerator(cancellationToken);
        Task<bool>? step = null;
        try
        {
            while (true)
            {
                step = reading.MoveNextAsync().AsTask();
                if (!step.IsCompleted)
                {
                    step.GetAwaiter().UnsafeOnCompleted(() => wake.Set());
                }

                while (!step.IsCompleted)
                {
                    await wake.WaitAsync();
                    if (!step.IsCompleted && hasText)
                    {
                        var left = window - time.GetElapsedTime(opened);
                        if (left <= TimeSpan.Zero)
                        {
                            yield return Take();
                        }
                        else
                        {
                            timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
                        }
                    }
                }

                if (hasText && (!step.IsCompletedSuccessfully || !step.Result || text.Length >= LongEnough || time.GetElapsedTime(opened) >= window))
                {
                    yield return Take();
                }

                if (!await step)
                {
                    yield break;
                }

                text.Append(reading.Current);
                if (!hasText)
                {
                    hasText = true;
                    opened = time.GetTimestamp();
                    timer.Change(window, Timeout.InfiniteTimeSpan);
                }
            }
        }
        finally
        {
            if (step is { IsCompleted: false })
            {
                // Left at a piece of text: the source must not be disposed of in the middle of a step.
                await ((Task)step).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        string Take()
        {
            var taken = text.ToString();
            text.Clear();
            hasText = false;
            return taken;
        }
    }
}
