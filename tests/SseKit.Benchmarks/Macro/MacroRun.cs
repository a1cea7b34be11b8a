using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace SseKit.Benchmarks.Macro;

/// <summary>Runs the rows and prints them as Markdown.</summary>
internal static class MacroRun
{
    private const string WrittenByHand = "## What is not won, and why";

    public static Task<int> RunAsync(string[] args)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            Console.Error.WriteLine("The client speaks to Linux on x64 directly (epoll); it does not run elsewhere.");
            return Task.FromResult(2);
        }

        var quick = args.Contains("--quick");
        var rounds = Value(args, "--rounds") is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : quick ? 1 : 5;
        var only = Value(args, "--only");
        var rows = Rows(quick).Where(row => only is null || only.Split(',').Any(part => row.Name.Contains(part, StringComparison.Ordinal))).ToList();
        if (rows.Count == 0)
        {
            Console.Error.WriteLine($"No row's name contains '{only}': {string.Join(", ", Rows(quick).Select(row => row.Name))}.");
            return Task.FromResult(2);
        }

        var report = new StringBuilder();
        foreach (var row in rows)
        {
            row.Run(rounds);
            report.AppendLine(row.Report());
            Console.WriteLine(row.Report());
            if (Value(args, "--out") is { } file)
            {
                // After each row, so that a run that is broken off leaves what it has.
                File.WriteAllText(file, $"{Head(args, rounds)}\n{report}{Said(file)}");
            }
        }

        return Task.FromResult(0);
    }

    private static string Head(string[] args, int rounds) =>
        $"""
        # Results

        `dotnet run -c Release --project tests/SseKit.Benchmarks -- macro {string.Join(' ', args)}` on {DateTime.UtcNow:d MMMM yyyy}: {RuntimeInformation.FrameworkDescription},
        {RuntimeInformation.OSDescription}, {Environment.ProcessorCount} cores{Processor()}.

        Server and client are processes of their own on loopback, in the same run and under the same settings; the client checks every event that it counts.
        The variants of a row take turns, {rounds} rounds of at least one turn each (single streams: of two or four; deliveries: of three). A cell is the median of the turns with the
        smallest and the largest; a ratio is taken within each turn, and its median is held against the bar. A turn of single streams in which the host moved
        the cores from or to each other is taken again. CPU is the server's, user and system, once the runtime has compiled what is hot. Bytes are what the
        server allocated, less what the same source allocates in an empty loop. `System.GC.Server` is on, as in every web app. Over HTTP/1.1 SseKit's
        `WriteTimeout` stands in for Kestrel's minimal data rate, which the others pay for: see the row of a source that waits.


        """;

    private static string Processor() => File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
        ? $" of a shared {line[(line.IndexOf(':', StringComparison.Ordinal) + 2)..]}"
        : "";

    /// <summary>What people wrote under the tables of the last run stays.</summary>
    private static string Said(string file)
    {
        var text = File.Exists(file) ? File.ReadAllText(file) : "";
        return text.IndexOf(WrittenByHand, StringComparison.Ordinal) is var at and >= 0 ? text[at..] : WrittenByHand + "\n";
    }

    private static IEnumerable<Row> Rows(bool quick) =>
    [
        .. SingleStreamRows.All(quick),
        .. FanOutRows.All(quick),
        .. SustainedRows.All(quick),
        .. IdleRows.All(),
        .. OpeningRows.All(quick),
        .. GrowthRows.All(quick),
        .. MiddlewareRows.All(quick),
    ];

    private static string? Value(string[] args, string name) => Array.IndexOf(args, name) is var at and >= 0 ? args[at + 1] : null;
}
