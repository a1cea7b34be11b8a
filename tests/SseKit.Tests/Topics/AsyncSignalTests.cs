using SseKit.Waiting;

namespace SseKit.Tests.Topics;

public class AsyncSignalTests
{
    [Fact]
    public async Task What_was_written_before_a_signal_is_seen_though_another_signal_lies_there()
    {
        const int Rounds = 100_000;
        var stop = TestContext.Current.CancellationToken;
        var signal = new AsyncSignal();
        int begun = 0, written = 0, disturbed = 0;
        var writer = OnItsOwnThread(round =>
        {
            Volatile.Write(ref written, round);
            signal.Set();
        });
        var disturber = OnItsOwnThread(round =>
        {
            signal.Set();
            Volatile.Write(ref disturbed, round);
        });
        var reader = Task.Run(
            async () =>
            {
                for (var round = 1; round <= Rounds; round++)
                {
                    Volatile.Write(ref begun, round);
                    while (Volatile.Read(ref written) < round)
                    {
                        await signal.WaitAsync();
                    }

                    var spin = default(SpinWait);
                    while (Volatile.Read(ref disturbed) < round)
                    {
                        spin.SpinOnce(sleep1Threshold: -1);
                    }
                }
            },
            stop);

        await Task.WhenAll(writer, disturber, reader).WaitAsync(TimeSpan.FromSeconds(60), stop);

        Task OnItsOwnThread(Action<int> step) => Task.Factory.StartNew(
            () =>
            {
                for (var round = 1; round <= Rounds; round++)
                {
                    var spin = default(SpinWait);
                    while (Volatile.Read(ref begun) < round && !stop.IsCancellationRequested)
                    {
                        spin.SpinOnce(sleep1Threshold: -1);
                    }

                    step(round);
                }
            },
            stop,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
    }
}
