namespace SseKit.Topics;

/// <summary>
/// Time as logs keep it: tenths of a second in 32 bits. It wraps around every thirteen years, so only the difference of two moments means
/// anything, and only below seven years.
/// </summary>
internal static class LogClock
{
    private const long TicksPerTenth = TimeSpan.TicksPerSecond / 10;

    // Of two such spans the sum still fits.
    private const long Longest = int.MaxValue / 2 * TicksPerTenth;

    public static int Now(TimeProvider time) => unchecked((int)(time.GetElapsedTime(0).Ticks / TicksPerTenth));

    /// <summary>The moment so long ago; rounded down, so that nothing seems younger than it is.</summary>
    public static int Ago(TimeSpan age, int now) => unchecked(now - (int)((Math.Clamp(age.Ticks, 0, Longest) + TicksPerTenth - 1) / TicksPerTenth));

    /// <summary>Whether a moment is this long ago; up to a tenth of a second early, and never late.</summary>
    public static bool IsPast(int moment, TimeSpan span, int now) => unchecked(now - moment) >= span.Ticks / TicksPerTenth;
}
