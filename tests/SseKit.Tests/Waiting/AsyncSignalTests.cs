using System.Runtime.InteropServices;
using SseKit.Waiting;

namespace SseKit.Tests.Waiting;

public class AsyncSignalTests
{
    private const int Rounds = 1_000_000;

    /// <summary>
    /// A processor may hold back what is written for longer than the read that follows it. So one thread signals, says something and signals
    /// again, while another takes the first signal and looks: either it sees what was said, or there is a signal left.
    /// </summary>
    [Fact]
    public void Who_takes_a_signal_misses_nothing_that_is_said_before_the_next_one()
    {
        var signal = new AsyncSignal();
        var (begun, said, told, ended) = (new Line(), new Line(), new Line(), new Line());
        var saying = new Thread(() =>
        {
            for (var round = 1; round <= Rounds; round++)
            {
                Volatile.Write(ref begun.Value, round);
                Linger(round % 40);
                signal.Set();
                Volatile.Write(ref said.Value, round);
                signal.Set();
                Volatile.Write(ref told.Value, round);
                Await(ended, round);
            }
        });
        saying.Start();

        var wait = signal.WaitAsync();
        var missed = 0;
        for (var round = 1; round <= Rounds; round++)
        {
            Await(begun, round);
            Linger(round / 40 % 40);
            var saw = !wait.IsCompleted || Volatile.Read(ref said.Value) == round;
            Await(told, round);
            missed += wait.IsCompleted || saw ? 0 : 1;
            Volatile.Write(ref ended.Value, round);
        }

        saying.Join();
        Assert.Equal(0, missed);
    }

    private static void Linger(int turns)
    {
        for (var turn = 0; turn < turns; turn++)
        {
            Thread.SpinWait(1);
        }
    }

    private static void Await(Line line, int round)
    {
        var spin = default(SpinWait);
        while (Volatile.Read(ref line.Value) != round)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>A number by itself in the processor's cache.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private sealed class Line
    {
        [FieldOffset(128)]
        public int Value;
    }
}
