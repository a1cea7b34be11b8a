namespace SseKit.Producing;

/// <summary>Runs a producer's configuration and checks what it chose, where it was chosen.</summary>
internal static class ProducerChoices
{
    private static readonly TimeSpan LongestWindow = TimeSpan.FromSeconds(10);

    public static SseProducerOptions Of(Action<SseProducerOptions>? configure)
    {
        var options = new SseProducerOptions();
        configure?.Invoke(options);
        var faults = Faults(options).ToList();
        return faults.Count == 0 ? options : throw new ArgumentException(string.Join(" ", faults), nameof(configure));
    }

    private static IEnumerable<string> Faults(SseProducerOptions options)
    {
        if (!Enum.IsDefined(options.OnDisconnect))
        {
            yield return $"{nameof(options.OnDisconnect)} is {options.OnDisconnect}, which is no {nameof(SseDisconnect)}.";
        }

        if (options.AbandonAfter < TimeSpan.FromMilliseconds(100) || options.AbandonAfter > TimeSpan.FromDays(1))
        {
            yield return $"{nameof(options.AbandonAfter)} is {options.AbandonAfter}; it must be between 100 ms and one day.";
        }

        if (options.RetainFor < TimeSpan.FromSeconds(1) || options.RetainFor > TimeSpan.FromDays(7))
        {
            yield return $"{nameof(options.RetainFor)} is {options.RetainFor}; it must be between 1 s and 7 days.";
        }

        if (options.MaxEvents is < 1 or > 10_000_000)
        {
            yield return $"{nameof(options.MaxEvents)} is {options.MaxEvents}; it must be between 1 and 10000000.";
        }

        if (options.MaxBytes is < 1024 or > 1024 * 1024 * 1024)
        {
            yield return $"{nameof(options.MaxBytes)} is {options.MaxBytes}; it must be between 1024 and 1073741824.";
        }

        if (options.CoalesceWindow < TimeSpan.Zero || options.CoalesceWindow > LongestWindow)
        {
            yield return $"{nameof(options.CoalesceWindow)} is {options.CoalesceWindow}; it must be between {TimeSpan.Zero} and {LongestWindow}.";
        }
    }
}
