namespace SseKit.Tests.Topics;

/// <summary>A position of a topic: an event, or (with no data) the beginning of an incarnation of the topic.</summary>
internal sealed class TopicNode(TopicModel topic, string id, TopicNode? parent, string? data, int ordinal)
{
    public TopicModel Topic => topic;

    public string Id => id;

    public TopicNode? Parent => parent;

    public string? Data => data;

    /// <summary>Counts everything that the topic ever had, in the order in which it came.</summary>
    public int Ordinal => ordinal;

    /// <summary>Whether there ever was a moment in which what followed it could not be had without a gap.</summary>
    public bool Cut { get; set; }

    // Ids may hold an origin that is drawn by chance: a trace that names positions by their ordinal can be compared.
    public override string ToString() => $"{topic.Name}#{ordinal}";
}

/// <summary>What is true of a topic: all that was ever stored, what followed what, and what can still be had.</summary>
internal sealed class TopicModel(string name)
{
    private readonly Dictionary<string, TopicNode> _nodes = new(StringComparer.Ordinal);
    private int _ordinal;

    public string Name => name;

    public TopicNode Head { get; private set; } = null!;

    public TopicNode Base { get; private set; } = null!;

    /// <summary>The ordinal of the latest beginning of what was kept: a fail-over may bring back what had been trimmed.</summary>
    public int HighestBase { get; private set; }

    public IEnumerable<TopicNode> All => _nodes.Values;

    /// <summary>What was newest when each of the events that are not kept was sent.</summary>
    public List<TopicNode> Ephemerals { get; } = [];

    public TopicNode? Find(string id) => _nodes.GetValueOrDefault(id);

    public TopicNode Appended(string id, string previousId, string data)
    {
        Begin(previousId);
        var node = new TopicNode(this, id, _nodes[previousId], data, ++_ordinal);
        if (!_nodes.TryAdd(id, node))
        {
            throw new ScheduleException($"The id {id} of topic {name} was given twice.");
        }

        return Head = node;
    }

    /// <summary>Takes note of what the store has: from the event after <paramref name="baseId"/> to <paramref name="headId"/>.</summary>
    public void Observe(string headId, string baseId)
    {
        Begin(headId);
        Head = _nodes[headId];
        Base = _nodes[baseId];
        HighestBase = Math.Max(HighestBase, Base.Ordinal);
        var had = new HashSet<TopicNode> { Base };
        for (var node = Head; node != Base; node = node.Parent ?? throw new ScheduleException($"{Base} does not lead to {Head}."))
        {
            had.Add(node);
        }

        foreach (var node in _nodes.Values)
        {
            node.Cut |= !had.Contains(node);
        }
    }

    // An id that was never seen is the beginning of a new incarnation.
    private void Begin(string id)
    {
        if (!_nodes.ContainsKey(id))
        {
            _nodes.Add(id, new TopicNode(this, id, null, null, ++_ordinal));
        }
    }
}
