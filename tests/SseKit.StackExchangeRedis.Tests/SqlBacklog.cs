using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>
/// A store of one's own: two small tables of SQL. The worked example of the guide, kept honest by the contract.
/// <para>
/// The order of a topic is the order in which its head row was locked, never that of an identity column: identity values are given out before
/// they are committed, so a reader could pass by number 7 while 6 is still under way, and would never look for it again.
/// </para>
/// </summary>
internal sealed class SqlBacklog : ISseBacklog
{
    private readonly string _connectionString;
    private readonly int _maxEvents;

    // Other nodes' events are found when the feed looks by itself (SseOptions.BacklogPollInterval); a database that can notify rings here as well.
    private readonly ConcurrentDictionary<string, Action> _watchers = new(StringComparer.Ordinal);

    public SqlBacklog(string connectionString, int maxEvents)
    {
        (_connectionString, _maxEvents) = (connectionString, maxEvents);
        using var connection = Open();
        Execute(connection, null, """
            CREATE TABLE IF NOT EXISTS sse_heads (topic TEXT PRIMARY KEY, head TEXT NOT NULL, position INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS sse_events (topic TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL, previous TEXT NOT NULL,
                type TEXT NULL, key TEXT NULL, frame BLOB NOT NULL, PRIMARY KEY (topic, position), UNIQUE (id));
            """);
    }

    public async ValueTask<SseEntry> AppendAsync(string topic, SseAppend append, CancellationToken cancellationToken) =>
        (await AppendAsync(topic, [append], cancellationToken))[0];

    // One transaction for all of them: that they come together or not at all is the database's business.
    public ValueTask<IReadOnlyList<SseEntry>> AppendAsync(string topic, IReadOnlyList<SseAppend> appends, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var entries = new List<SseEntry>();
        using (var connection = Open())
        {
            // Locks the head row, here with all of the database; elsewhere SELECT … FOR UPDATE.
            using var transaction = connection.BeginTransaction();
            var (head, position) = Head(connection, transaction, topic);
            foreach (var append in appends)
            {
                var entry = new SseEntry { Id = NewId(), PreviousId = head, Frame = append.Frame, EventType = append.EventType, Key = append.Key };
                Execute(connection, transaction, "INSERT INTO sse_events VALUES ($topic, $position, $id, $previous, $type, $key, $frame)",
                    ("$topic", topic), ("$position", ++position), ("$id", entry.Id), ("$previous", head), ("$type", append.EventType),
                    ("$key", append.Key), ("$frame", append.Frame.ToArray()));
                head = entry.Id;
                entries.Add(entry);
            }

            Execute(connection, transaction, """
                UPDATE sse_heads SET head = $head, position = $position WHERE topic = $topic;
                DELETE FROM sse_events WHERE topic = $topic AND position <= $position - $keep;
                """,
                ("$topic", topic), ("$head", head), ("$position", position), ("$keep", _maxEvents));
            transaction.Commit();
        }

        if (_watchers.TryGetValue(topic, out var grown))
        {
            grown();
        }

        return ValueTask.FromResult<IReadOnlyList<SseEntry>>(entries);
    }

    public ValueTask<SseSlice> ReadAsync(string topic, string? after, int max, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var connection = Open();

        // One transaction, so that head and entries are of one moment.
        using var transaction = connection.BeginTransaction();
        var (head, _) = Head(connection, transaction, topic);
        var entries = new List<SseEntry>();
        using (var command = Command(connection, transaction, """
            SELECT id, previous, type, key, frame FROM sse_events
            WHERE topic = $topic AND position > COALESCE((SELECT position FROM sse_events WHERE topic = $topic AND id = $after), -1)
                AND $after <> $head
            ORDER BY position LIMIT $max
            """,
            ("$topic", topic), ("$after", after ?? ""), ("$head", head), ("$max", max)))
        {
            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                entries.Add(new SseEntry
                {
                    Id = reader.GetString(0),
                    PreviousId = reader.GetString(1),
                    EventType = reader.IsDBNull(2) ? null : reader.GetString(2),
                    Key = reader.IsDBNull(3) ? null : reader.GetString(3),
                    Frame = reader.GetFieldValue<byte[]>(4),
                });
            }
        }

        transaction.Commit();
        return ValueTask.FromResult(new SseSlice { Head = head, Entries = entries });
    }

    public ValueTask<IAsyncDisposable> WatchAsync(string topic, Action grown, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _watchers.AddOrUpdate(topic, grown, (_, others) => others + grown);
        return ValueTask.FromResult<IAsyncDisposable>(new Watch(this, topic, grown));
    }

    /// <summary>The newest position; of a topic that is new, one that is unlike any other's.</summary>
    private static (string Id, long Position) Head(SqliteConnection connection, SqliteTransaction transaction, string topic)
    {
        Execute(connection, transaction, "INSERT INTO sse_heads VALUES ($topic, $origin, 0) ON CONFLICT DO NOTHING", ("$topic", topic), ("$origin", NewId()));
        using var command = Command(connection, transaction, "SELECT head, position FROM sse_heads WHERE topic = $topic", ("$topic", topic));
        using var reader = command.ExecuteReader();
        reader.Read();
        return (reader.GetString(0), reader.GetInt64(1));
    }

    private static string NewId() => Guid.CreateVersion7().ToString("N");

    private static void Execute(SqliteConnection connection, SqliteTransaction? transaction, string text, params (string, object?)[] parameters)
    {
        using var command = Command(connection, transaction, text, parameters);
        command.ExecuteNonQuery();
    }

    private static SqliteCommand Command(SqliteConnection connection, SqliteTransaction? transaction, string text, params (string Name, object? Value)[] parameters)
    {
        var command = connection.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, text);
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        return command;
    }

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        return connection;
    }

    private sealed class Watch(SqlBacklog backlog, string topic, Action grown) : IAsyncDisposable
    {
        private int _disposed;

        public ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                backlog._watchers.AddOrUpdate(topic, (_, _) => () => { }, static (_, others, mine) => others - mine ?? (() => { }), grown);
            }

            return default;
        }
    }
}
