using System.Diagnostics;

namespace SseKit.Benchmarks.Macro;

/// <summary>
/// How far apart two cores are. A host moves those of a virtual machine while it runs: within a die a cache line is there and back in 50 ns, between
/// two in more than 300, and what threads pass on to each other costs as many times as much.
/// </summary>
internal static class CoreDistance
{
    private const int Exchanges = 500;
    private const int Samples = 20;

    private static int s_ball;

    /// <summary>Nanoseconds for a cache line to another core and back, now.</summary>
    public static double Measure()
    {
        if (Environment.ProcessorCount == 1)
        {
            return 0;
        }

        Volatile.Write(ref s_ball, 0);
        var other = new Thread(static () =>
        {
            for (var i = 0; i < Exchanges * Samples; i++)
            {
                Await((2 * i) + 1);
                Volatile.Write(ref s_ball, (2 * i) + 2);
            }
        });
        other.Start();

        // The fastest of some: in the others one of the two threads had no core for a while.
        var fastest = double.PositiveInfinity;
        for (var sample = 0; sample < Samples; sample++)
        {
            var started = Stopwatch.GetTimestamp();
            for (var i = sample * Exchanges; i < (sample + 1) * Exchanges; i++)
            {
                Volatile.Write(ref s_ball, (2 * i) + 1);
                Await((2 * i) + 2);
            }

            fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(started).TotalNanoseconds / Exchanges);
        }

        other.Join();
        return fastest;
    }

    private static void Await(int ball)
    {
        while (Volatile.Read(ref s_ball) != ball)
        {
        }
    }
}
