using System.Diagnostics;

namespace SseKit.ClientTests;

/// <summary>All requests of one client for one stream, as the server sees them.</summary>
internal sealed class Visit
{
    private readonly List<string> _lastEventIds = [];
    private long _lastStep;

    /// <summary>Which request this is, from 1.</summary>
    public int Requests => _lastEventIds.Count;

    /// <summary>The header Last-Event-ID of each request; "-" where there is none.</summary>
    public IReadOnlyList<string> LastEventIds => _lastEventIds;

    /// <summary>How long the client stayed away before each request but the first: at least as long as it waited.</summary>
    public List<TimeSpan> Pauses { get; } = [];

    /// <summary>What the ids that a topic made are called in the expectations.</summary>
    public Dictionary<string, string> Names { get; } = [];

    public TaskCompletionSource Opened { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The number after the id that the client came with: 4 after n3.</summary>
    public int Next => LastEventIds[^1] is ['n' or 'e', .. var number] ? int.Parse(number, System.Globalization.CultureInfo.InvariantCulture) + 1 : 1;

    public void Arrive(string lastEventId)
    {
        if (Requests > 0)
        {
            Pauses.Add(Stopwatch.GetElapsedTime(_lastStep));
        }

        _lastEventIds.Add(lastEventId);
    }

    public void Stepped() => _lastStep = Stopwatch.GetTimestamp();

    public string Name(string text) => Names.Aggregate(text, (text, name) => text.Replace(name.Key, name.Value, StringComparison.Ordinal));
}
