using System.Diagnostics;
using System.Globalization;

namespace SseKit.Benchmarks.Macro;

/// <summary>A server under measurement: a process that takes commands on its input, a line each, and answers each with a line.</summary>
internal sealed class PeerProcess : IDisposable
{
    private readonly Process _process;

    public PeerProcess(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };

        // As in every app that is made with the web SDK.
        start.Environment["DOTNET_gcServer"] = "1";
        _process = Process.Start(start)!;
        Ports = [.. Numbers(Read()).Select(port => (int)port)];
        EmptyDescriptors = Descriptors;
    }

    public IReadOnlyList<int> Ports { get; }

    public int Port => Ports[0];

    private int EmptyDescriptors { get; }

    private int Descriptors => Directory.GetFiles($"/proc/{_process.Id}/fd").Length;

    public static PeerProcess Dotnet(params string[] arguments) =>
        new(Environment.ProcessPath!, ["server", .. arguments]);

    /// <summary>CPU in microseconds, user and system, and bytes allocated, since the start.</summary>
    public (double Cpu, double Allocated) Usage() => Ask("usage") is [var cpu, var allocated] ? (cpu, allocated) : default;

    /// <summary>Resident memory after a full collection.</summary>
    public double Memory() => Ask("memory")[0];

    public void Publish(string to, int count) => Ask($"publish {to} {count} 0");

    /// <summary>Waits until the runtime compiles nothing: what it found hot it compiles in the background, on the server's time.</summary>
    public double Calm() => Ask("calm")[0];

    /// <summary>Does the work again and again until it gives the runtime nothing more to compile, which happens in stages.</summary>
    /// <param name="work">The work.</param>
    /// <param name="atLeast">How often at least: what the runtime sees less often than 30 times is not yet hot.</param>
    public void Warm(Action work, int atLeast = 4)
    {
        const int MostTimes = 16;
        var compiled = Calm();
        for (var i = 0; i < MostTimes; i++)
        {
            work();
            if (compiled == (compiled = Calm()) && i + 1 >= atLeast)
            {
                return;
            }
        }

        Console.Error.WriteLine("The runtime still compiles; measured all the same.");
    }

    public double[] Ask(string command) => Numbers(AskText(command));

    public string AskText(string command)
    {
        _process.StandardInput.WriteLine(command);
        _process.StandardInput.Flush();
        return Read();
    }

    /// <summary>Waits until the connections of the last measurement are gone.</summary>
    public void Settle()
    {
        for (var started = Stopwatch.GetTimestamp(); Descriptors > EmptyDescriptors + 100;)
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(30))
            {
                throw new TimeoutException("The server keeps connections whose clients have left.");
            }

            Thread.Sleep(5);
        }

        Thread.Sleep(50);
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private static double[] Numbers(string line) => [.. line.Split(' ').Select(word => double.Parse(word, CultureInfo.InvariantCulture))];

    private string Read() => _process.StandardOutput.ReadLine() ?? throw new IOException("The server ended.");
}
