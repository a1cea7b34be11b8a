using System.Collections.Concurrent;
using System.Globalization;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>
/// What happened, and whether every client was told the truth about it. An epoch is all that Redis held in the moment in which it lost some of
/// it, in order; what a client received between two gaps must be an unbroken run of one of them.
/// </summary>
internal sealed class ScheduleHistory(int clients)
{
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly ConcurrentDictionary<int, string> _published = new();
    private readonly List<List<Place>> _epochs = [];
    private readonly List<List<Heard>> _heard = [.. Enumerable.Range(0, clients).Select(_ => new List<Heard>())];
    private int _resumes;

    public IEnumerable<string> Lines => _lines
        .Concat(_heard.Select((items, client) => $"client {client}: {string.Join(' ', items.Select(item => item.Data is null ? $"at {item.Id}" : item.Said))}"))
        .Concat(_epochs.Select((epoch, index) => $"epoch {index}: {string.Join(' ', epoch)}"));

    public void Say(string what) => _lines.Enqueue($"{DateTime.UtcNow:HH:mm:ss.fff} {what}");

    public void Published(int node, int number, string outcome)
    {
        _published[number] = outcome;
        Say($"node {node} published {number}: {outcome}");
    }

    public void Came(int client, int node, string? id)
    {
        Interlocked.Increment(ref _resumes);
        Say($"client {client} comes to node {node} with {id}");
    }

    public void Received(int client, Heard heard)
    {
        _heard[client].Add(heard);
        Say($"client {client} receives {heard}");
    }

    /// <param name="entries">The answer to <c>XRANGE</c>, of all that there is.</param>
    public void EndOfEpoch(RedisResult entries) => _epochs.Add([.. ((RedisResult[])entries!).Select(PlaceOf).OfType<Place>()]);

    public ScheduleOutcome Judge()
    {
        // No event ever takes another's place.
        var numbers = new Dictionary<string, int?>();
        foreach (var (epoch, index) in _epochs.Select((epoch, index) => (epoch, index)))
        {
            var events = epoch.Where(place => place.Number is not null).Select(place => place.Number).ToList();
            Require(events.Distinct().Count() == events.Count, $"Epoch {index} holds an event twice.");
            foreach (var place in epoch)
            {
                Require(numbers.TryAdd(place.Id, place.Number) || numbers[place.Id] == place.Number, $"The id {place.Id} was given to {numbers[place.Id]} and to {place.Number}.");
            }
        }

        var stored = numbers.Values.OfType<int>().ToHashSet();
        foreach (var (number, outcome) in _published)
        {
            Require(outcome is "confirmed" or "refused" or "unknown", $"The outcome of {number} is {outcome}.");
            Require(outcome != "confirmed" || stored.Contains(number), $"{number} was confirmed and never stored.");
            Require(outcome != "refused" || !stored.Contains(number), $"{number} was refused and is stored.");
        }

        for (var client = 0; client < clients; client++)
        {
            Judge(client);
        }

        var all = _heard.SelectMany(items => items).ToList();
        return new ScheduleOutcome(
            all.Count(item => item is { Data: not null, IsGap: false }),
            _published.Count(one => one.Value == "confirmed"),
            _published.Count(one => one.Value == "refused"),
            _published.Count(one => one.Value == "unknown"),
            all.Count(item => item.IsGap),
            _resumes,
            _epochs.Count);
    }

    private void Judge(int client)
    {
        var run = new List<Place>();
        foreach (var item in _heard[client])
        {
            if (item.IsGap)
            {
                JudgeRun(client, run);
                run.Clear();
            }

            // A gap names the place where what follows begins; a position is the place where a client begins that had none.
            Require(item.Data is not null || run.Count == 0, $"Client {client} was given the position {item.Id} though it had one.");
            run.Add(new Place(item.Id ?? "none", item.IsGap || item.Data is null ? null : int.Parse(item.Data, CultureInfo.InvariantCulture)));
        }

        JudgeRun(client, run);
    }

    private void JudgeRun(int client, List<Place> run) =>
        Require(run.Count == 0 || _epochs.Any(epoch => IsRunOf(run, epoch)), $"Client {client} was told of no gap within {string.Join(' ', run)}.");

    private static bool IsRunOf(List<Place> run, List<Place> epoch)
    {
        var start = epoch.FindIndex(place => place.Id == run[0].Id);

        // A place that was only named does not say what is there.
        return start >= 0 && start + run.Count <= epoch.Count && (run[0].Number is null || run[0] == epoch[start])
            && epoch.Skip(start + 1).Take(run.Count - 1).SequenceEqual(run.Skip(1));
    }

    private static Place? PlaceOf(RedisResult entry)
    {
        var parts = (RedisResult[])entry!;
        var fields = (string[])parts[1]!;
        if (fields is not ["v", _, "w", var mark, "p", ..])
        {
            return null;
        }

        // The first one, which is no event, is the place of who came when there was none.
        var frame = Array.IndexOf(fields, "f") is > 0 and var at ? fields[at + 1]["data: ".Length..] : null;
        return new Place($"{parts[0]}-{mark}", frame is null ? null : int.Parse(frame, CultureInfo.InvariantCulture));
    }

    private static void Require(bool holds, string fault)
    {
        if (!holds)
        {
            throw new InvalidOperationException(fault);
        }
    }

    private sealed record Place(string Id, int? Number)
    {
        public override string ToString() => Number is null ? $"at {Id}" : $"{Number}";
    }
}

internal sealed record ScheduleOutcome(int Received, int Confirmed, int Refused, int Unknown, int Gaps, int Resumes, int Epochs);
