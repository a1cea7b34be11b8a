using System.Globalization;
using System.Text;

namespace SseKit.Benchmarks.Macro;

/// <summary>A column of a row's table.</summary>
internal sealed record Metric(string Name, string Format = "0.00");

/// <summary>One way to do what the row measures. Null from <paramref name="Measure"/>: it is not installed.</summary>
internal sealed record Variant(string Name, Func<double[]?> Measure);

/// <summary>
/// What is asked for: a metric of SseKit against a peer's in the same round, or by itself where there is no peer. Without a limit it says what others reach.
/// </summary>
internal sealed record Bar(string What, string Ours, int Metric, string? Peer, double? Limit = null, bool AtLeast = false, int? PeerMetric = null);

/// <summary>What is measured side by side: its variants take turns in each round, and ratios are taken within a round.</summary>
internal sealed class Row(string name, string title, Metric[] metrics, Variant[] variants, Bar[] bars, Action? end = null, int turnsPerRound = 1, int mostRounds = int.MaxValue, bool rotate = true, bool again = false, int anewAfter = int.MaxValue)
{
    // Between two places on a die it is less than this, from a die to another more.
    private const double FarApart = 2.5;

    private readonly Dictionary<string, List<double[]>> _results = variants.ToDictionary(variant => variant.Name, _ => new List<double[]>());
    private readonly Dictionary<string, string> _notes = [];
    private int _again;
    private int _kept;

    public string Name => name;

    public void Run(int rounds)
    {
        var turns = Math.Min(rounds, mostRounds) * turnsPerRound;
        try
        {
            for (var turn = 0; turn < turns; turn++)
            {
                if (turn > 0 && turn % anewAfter == 0)
                {
                    end?.Invoke();
                }

                while (!TakeTurn(rotate ? turn : 0))
                {
                    // Where the host moves them all the time, the row has an end all the same.
                    if (_again == (turns + 1) / 2)
                    {
                        _kept++;
                        break;
                    }

                    _again++;
                    foreach (var results in _results.Values.Where(results => results.Count > turn))
                    {
                        results.RemoveAt(turn);
                    }
                }
            }
        }
        finally
        {
            end?.Invoke();
        }
    }

    /// <summary>Measures each variant once; false when the machine was not the same for all of them.</summary>
    private bool TakeTurn(int first)
    {
        var distances = new List<double>();
        for (var i = 0; i < variants.Length; i++)
        {
            Look();
            Measure(variants[(first + i) % variants.Length]);
        }

        Look();
        return !again || distances.Max() <= distances.Min() * FarApart;

        void Look()
        {
            if (again)
            {
                distances.Add(CoreDistance.Measure());
                Console.Error.WriteLine($"{name} · cores apart: {Text(distances[^1], "0")} ns");
            }
        }
    }

    private void Measure(Variant variant)
    {
        if (_notes.ContainsKey(variant.Name))
        {
            return;
        }

        try
        {
            if (variant.Measure() is { } result)
            {
                _results[variant.Name].Add(result);
                Console.Error.WriteLine($"{name} · {variant.Name}: {string.Join(" · ", result.Select((value, i) => Text(value, metrics[i].Format)))}");
            }
            else
            {
                _notes[variant.Name] = "not installed";
            }
        }
        catch (Exception exception) when (exception is IOException or TimeoutException)
        {
            _notes[variant.Name] = $"failed: {exception.InnerException?.Message ?? exception.Message}";
            Console.Error.WriteLine($"{name} · {variant.Name}: {_notes[variant.Name]}");
        }
    }

    public string Report()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"### {title}").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| | {string.Join(" | ", metrics.Select(metric => metric.Name))} |");
        text.AppendLine(CultureInfo.InvariantCulture, $"|---|{string.Concat(metrics.Select(_ => "---|"))}");
        foreach (var variant in variants)
        {
            var cells = metrics.Select((metric, i) => _notes.GetValueOrDefault(variant.Name) ?? Spread([.. _results[variant.Name].Select(result => result[i])], metric.Format));
            text.AppendLine(CultureInfo.InvariantCulture, $"| {variant.Name} | {string.Join(" | ", cells)} |");
        }

        text.AppendLine();
        foreach (var bar in bars)
        {
            var ratios = Ratios(bar);
            var median = Median(ratios);
            var sign = bar.AtLeast ? "≥" : "≤";
            var verdict = ratios.Count == 0 ? "not measured" : (bar.AtLeast ? median >= bar.Limit : median <= bar.Limit) ? "met" : "**not met**";
            var held = bar.Limit is null ? "" : $", bar {sign} {Text(bar.Limit.Value, "0.##")}: {verdict}";
            text.AppendLine(CultureInfo.InvariantCulture, $"- {bar.What}: {Spread(ratios, "0.00")}{held}");
        }

        if (_again > 0)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"- taken again since the cores had moved from or to each other: {_again}; kept though they had: {_kept}");
        }

        return text.ToString();
    }

    private List<double> Ratios(Bar bar)
    {
        var ours = _results[bar.Ours];
        if (bar.Peer is null)
        {
            return [.. ours.Select(result => result[bar.Metric])];
        }

        return [.. ours.Zip(_results[bar.Peer], (mine, theirs) => mine[bar.Metric] / theirs[bar.PeerMetric ?? bar.Metric])];
    }

    private static string Spread(List<double> values, string format)
    {
        var known = values.Where(value => !double.IsNaN(value)).ToList();
        return known.Count switch
        {
            0 => "–",
            1 => Text(known[0], format),
            _ => $"{Text(Median(known), format)} ({Text(known.Min(), format)}–{Text(known.Max(), format)})",
        };
    }

    private static double Median(List<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? double.NaN : (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
