using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;

namespace SseKit.Tests.Topics;

/// <summary>
/// A client that follows <c>Last-Event-ID</c>, and the judge of what it is sent: every event of its topic once and in order, or the word
/// that there is a gap.
/// </summary>
internal sealed class ReaderModel(TopicModel topic, SseStart start, SseGapAction onGap, bool sendStartPosition)
{
    public const string SnapshotType = "snapshot";
    public const string EphemeralType = "ephemeral";

    private readonly List<byte> _received = [];
    private TopicNode? _at;
    private TopicNode? _established;
    private TopicNode? _lastEvent;
    private string? _sent;
    private int _baseAtConnect;
    private int _headAtConnect;
    private int _nextEphemeral;
    private int _snapshotOf;
    private bool _first;
    private bool _mustBeTold;
    private bool _inSnapshot;

    public TopicModel Topic => topic;

    /// <summary>As EventSource keeps it: committed at the blank line only.</summary>
    public string? LastId { get; private set; }

    /// <summary>Whether the store's own node may lag behind the store: then a live start may be a little earlier than the store's newest.</summary>
    public bool MayLag { get; init; }

    /// <summary>Whether it wants an event, by its data. What it does not want is passed by without a word.</summary>
    public Func<string, bool> Wants { get; init; } = static _ => true;

    /// <summary>Whether it is to be told the newest position when nothing was for it.</summary>
    public bool Checkpoints { get; init; }

    public int Events { get; private set; }

    public int Gaps { get; private set; }

    public int Resumes { get; private set; }

    /// <summary>How often it was told its position in mid-stream.</summary>
    public int Told { get; private set; }

    /// <summary>How many events that are not kept it got.</summary>
    public int Heard { get; private set; }

    public string At => _at?.ToString() ?? "?";

    /// <summary>Comes (back) with this id, or without one.</summary>
    public void Connect(string? id)
    {
        _received.Clear();
        _sent = LastId = id;
        _at = id is null ? null : topic.Find(id);
        _mustBeTold = id is not null && _at is null;
        _inSnapshot = id is null && start == SseStart.Snapshot;
        _snapshotOf = -1;
        _established = null;
        _lastEvent = null;

        // Between nodes they take their time.
        _nextEphemeral = MayLag ? 0 : topic.Ephemerals.Count;
        _first = true;
        _baseAtConnect = topic.Base.Ordinal;
        _headAtConnect = topic.Head.Ordinal;
        Resumes += _at is null ? 0 : 1;
    }

    /// <summary>The response has begun: from now on it misses nothing, wherever it began.</summary>
    public void Established() => _established ??= topic.Head;

    public void Receive(ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            _received.Add(b);
            if (b == '\n' && _received[0] == ':')
            {
                // A comment, which needs no blank line.
                _received.Clear();
            }
            else if (b == '\n' && _received.Count > 1 && _received[^2] == '\n')
            {
                var block = _received.ToArray();
                _received.Clear();
                ReadBlock(block);
            }
        }
    }

    /// <summary>Nothing is under way any more: there must be nothing left to receive.</summary>
    public void CheckUpToDate()
    {
        if (_received.Count > 0)
        {
            throw new ScheduleException($"Half a block was left: {Encoding.UTF8.GetString([.. _received])}");
        }

        Require(!_mustBeTold, "was never told of the gap");
        Require(!_inSnapshot, "never got the end of its snapshot");
        if (_at is null)
        {
            Require(MissesNothingBefore(topic.Head), "is not up to date");
            return;
        }

        Require(Leads(_at, topic.Head) || IsPastTheHead(_at), "is not up to date");
    }

    /// <summary>It was silent for as long as a keep-alive takes: its client knows where it is.</summary>
    public void CheckTold() => Require(!Checkpoints || _at == topic.Head || IsPastTheHead(_at!), $"was not told that it is at {topic.Head}");

    /// <summary>Who has seen everything, and something more that the store has lost since, is told with the next event.</summary>
    private bool IsPastTheHead(TopicNode node) => node.Cut && Ancestors(node).Contains(topic.Head);

    private void ReadBlock(byte[] block)
    {
        string? id = null;
        foreach (var line in Encoding.UTF8.GetString(block).Split('\n'))
        {
            if (line.StartsWith("id: ", StringComparison.Ordinal))
            {
                id = line["id: ".Length..];
            }
        }

        var items = SseParser.Create(new MemoryStream(block)).Enumerate().ToList();
        LastId = id ?? LastId;
        switch (items)
        {
            case []:
                OnPosition(id);
                break;
            case [{ EventType: "gap" } item]:
                Gaps++;
                OnGap(item.Data, id);
                break;
            case [{ EventType: EphemeralType } item]:
                OnEphemeral(item.Data, id);
                break;
            case [{ EventType: SnapshotType } item]:
                OnSnapshot(item.Data, id);
                break;
            case [var item]:
                Events++;
                OnEvent(item, id);
                break;
        }

        _first = false;
    }

    private void OnPosition(string? id)
    {
        Require(id is not null, "got a block with nothing in it");
        if (Checkpoints && !_inSnapshot && !(_first && _sent is null && sendStartPosition))
        {
            OnCheckpoint(Known(id!));
            return;
        }

        Require(_first || _inSnapshot, $"got the position {id} in mid-stream");
        Require(_sent is null, $"got the position {id} though it had one");
        Require(sendStartPosition, "got a position though it is not to be sent");
        var node = Known(id!);
        RequireStart(node);
        _at = node;
        _inSnapshot = false;
    }

    private void OnCheckpoint(TopicNode node)
    {
        Require(!_mustBeTold, $"sent {_sent}, got the position {node} and was not told of the gap");
        Require(node != _at, $"got the position {node}, which it has");
        RequireContinues(node);
        _at = node;
        Told++;
    }

    /// <summary>All that it wants up to this place it has.</summary>
    private void RequireContinues(TopicNode node)
    {
        if (_at is not null)
        {
            Require(Leads(_at, node), $"is brought to {node}, which does not follow");
            return;
        }

        // It never was told where it began: it may have begun anywhere before the response did.
        Require(MissesNothingBefore(node), $"is brought to {node}, and misses what came before it");
        RequireStart(node);
    }

    // Who filters may have passed by what it did not want before anybody could tell where it began.
    private void RequireStart(TopicNode node)
    {
        for (var begin = node; StartFault(begin) is { } fault; begin = begin.Parent!)
        {
            Require(begin.Data is not null && !Wants(begin.Data), StartFault(node) ?? fault);
        }
    }

    private string? StartFault(TopicNode node) => start switch
    {
        SseStart.Live when !MayLag && node.Ordinal < _headAtConnect => $"asked to start live and starts at {node}, before what was newest when it came",

        // What is earliest may change while it is looked up.
        SseStart.Earliest when !node.Cut && node != topic.Base && node.Ordinal < _baseAtConnect => $"asked for the earliest and starts at {node}, before {topic.Base}",
        SseStart.Earliest when node.Ordinal > topic.HighestBase && !node.Cut => $"asked for the earliest and starts at {node}, after {topic.Base}",
        _ => null,
    };

    /// <summary>Whether it may go from one place to the other and have missed nothing that it wants.</summary>
    private bool Leads(TopicNode from, TopicNode to)
    {
        for (var node = to; node != from; node = node.Parent)
        {
            if (node?.Data is null || Wants(node.Data))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether nothing that it wants came since its response began, up to this place.</summary>
    private bool MissesNothingBefore(TopicNode node)
    {
        for (var before = node; _established is not null && before.Ordinal > _established.Ordinal; before = before.Parent!)
        {
            if (before.Data is null || Wants(before.Data))
            {
                return false;
            }
        }

        return true;
    }

    private void OnEphemeral(string data, string? id)
    {
        var number = int.Parse(data[(EphemeralType.Length + 1)..], System.Globalization.CultureInfo.InvariantCulture);
        Require(id is null, $"got an event that is not kept with the id {id}");
        Require(!_mustBeTold && !_inSnapshot, $"got '{data}' before it was told of its gap or had its snapshot");
        Require(Wants(data), $"got '{data}', which it does not want");
        Require(number >= _nextEphemeral, $"got '{data}', which was sent before it came or has come before");
        _nextEphemeral = number + 1;
        Heard++;

        // From a store a node may have what was published later, and what was published before may still be on its way.
        var head = topic.Ephemerals[number];
        if (!MayLag)
        {
            Require(_at is null || head.Cut || head.Ordinal <= _at.Ordinal || Leads(_at, head), $"got '{data}' before what was published before it, up to {head}");
            Require(_lastEvent is null || _lastEvent.Ordinal <= head.Ordinal, $"got '{data}' after {_lastEvent}, which was published after it");
        }
    }

    private void OnGap(string data, string? id)
    {
        using var json = JsonDocument.Parse(data);
        var reason = json.RootElement.GetProperty("reason").GetString();
        var requested = json.RootElement.TryGetProperty("requested", out var told) ? told.GetString() : null;
        Require(!_inSnapshot || _snapshotOf < 0, "got a gap within a snapshot");
        if (_first && _sent is not null && !IsTopicId(_sent))
        {
            Require(reason == "malformed" && requested is null, $"sent something malformed and was told {data}");
        }
        else
        {
            Require(reason is "trimmed" or "unknown" or "lost", $"was told {data}");
            Require(requested is not null, $"was told {data}");
            var node = topic.Find(requested!);
            Require(!_first || _sent is null || requested == _sent || IsBeyond(node), $"asked for {_sent} and was told {data}");
            Require(node is not null || (_first && requested == _sent), $"was told of {requested}, where it never was");
            Require(node is null || node.Cut, $"was told of a gap after {node}, and there never was one");
            Require(_at is null || _at == node || IsBeyond(node), $"was told of a gap after {node}, and is elsewhere");
            Require(node is not null || reason == "unknown", $"sent an id that never was, and was told {data}");
            Require(reason != "unknown" || requested == _sent, $"was told {data} of an id that it did not send");
            Require(MayLag || node is null || reason == "trimmed" == (node.Ordinal >= Root(topic.Head).Ordinal), $"was told {data} of {node}");
        }

        _mustBeTold = false;
        _snapshotOf = -1;
        if (id is null)
        {
            Require(onGap == SseGapAction.Snapshot, "was told of a gap without a position");
            _inSnapshot = true;
            _at = null;
            return;
        }

        _inSnapshot = false;
        _at = Known(id);
        Require(
            onGap != SseGapAction.Replay || _at.Ordinal <= topic.HighestBase || _at.Cut,
            $"was told that what follows the gap begins at {_at}, and the earliest that is kept is at {topic.Base}");
        Require(onGap != SseGapAction.Live || MayLag || !_first || _at.Ordinal >= _headAtConnect, $"was to go on live and goes on at {_at}");
    }

    private void OnSnapshot(string data, string? id)
    {
        Require(_inSnapshot, "got a snapshot that it did not ask for");
        if (_snapshotOf < 0)
        {
            _snapshotOf = int.Parse(data, System.Globalization.CultureInfo.InvariantCulture);
        }

        // Only the last one has an id: another one after it would be a snapshot that was not asked for.
        if (id is null)
        {
            return;
        }

        var node = Known(id);
        Require(node.Ordinal <= _snapshotOf || node.Cut, $"got a snapshot of {topic.Name}#{_snapshotOf} and is to go on at {node}");
        _inSnapshot = false;
        _at = node;
    }

    private void OnEvent(SseItem<string> item, string? id)
    {
        Require(id is not null, $"got an event without an id: {item.Data}");
        Require(!_mustBeTold, $"sent {_sent} and was not told of the gap");
        Require(!_inSnapshot, "got an event before its snapshot had ended");
        var node = Known(id!);
        Require(node.Data == item.Data, $"got '{item.Data}' under the id of {node}, which is '{node.Data}'");
        Require(item.EventType == TypeOf(item.Data), $"got {node} as {item.EventType}");
        Require(Wants(item.Data), $"got {node}, which it does not want");
        RequireContinues(node.Parent!);
        _at = _lastEvent = node;
    }

    /// <summary>Whether it may have come there by passing by what it does not want.</summary>
    private bool IsBeyond(TopicNode? node) => node is not null && _at is not null && Leads(_at, node);

    /// <summary>Events say in their data which key they have, by their number.</summary>
    public static string? KeyOf(string data) =>
        (int.Parse(string.Concat(data.SkipWhile(c => !char.IsAsciiDigit(c)).TakeWhile(char.IsAsciiDigit)), System.Globalization.CultureInfo.InvariantCulture) % 3) switch
        {
            0 => "0",
            1 => "1",
            _ => null,
        };

    /// <summary>Events say in their data which type they are of.</summary>
    public static string TypeOf(string data) => data.StartsWith("tick", StringComparison.Ordinal) ? "tick" : "message";

    private static TopicNode Root(TopicNode node) => Ancestors(node).Append(node).First(ancestor => ancestor.Parent is null);

    private static IEnumerable<TopicNode> Ancestors(TopicNode node)
    {
        for (var parent = node.Parent; parent is not null; parent = parent.Parent)
        {
            yield return parent;
        }
    }

    private static bool IsTopicId(string id) => id.Length is > 0 and <= 64 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private TopicNode Known(string id)
    {
        var node = topic.Find(id);
        Require(node is not null, $"got the id {id}, which is none of the topic's");
        return node!;
    }

    private void Require(bool holds, string fault)
    {
        if (!holds)
        {
            throw new ScheduleException($"A reader of {topic.Name} (start {start}, on a gap {onGap}) at {At} {fault}.");
        }
    }
}
