using System.Globalization;
using System.Text;

namespace SseKit.Benchmarks.Macro;

/// <summary>Runs the rows and prints them as Markdown.</summary>
internal static class MacroRun
{
    public static Task<int> RunAsync(string[] args)
    {
        var quick = args.Contains("--quick");
        var rounds = Value(args, "--rounds") is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : quick ? 3 : 5;
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
        }

        if (Value(args, "--out") is { } file)
        {
            File.WriteAllText(file, report.ToString());
        }

        return Task.FromResult(0);
    }

    private static IEnumerable<Row> Rows(bool quick) =>
    [
        .. SingleStreamRows.All(quick),
        .. FanOutRows.All(quick),
        .. SustainedRows.All(quick),
        .. IdleRows.All(quick),
        .. OpeningRows.All(quick),
        .. GrowthRows.All(quick),
        .. MiddlewareRows.All(quick),
    ];

    private static string? Value(string[] args, string name) => Array.IndexOf(args, name) is var at and >= 0 ? args[at + 1] : null;
}
