using Microsoft.Data.Sqlite;
using SseKit.Tests.Topics;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The guide's worked example of a store of one's own keeps the same contract as every other.</summary>
public sealed class SqlBacklogTests : BacklogContract, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ssekit-sql-").FullName;

    protected override ISseBacklog Create(int maxEvents = 1_000) =>
        new SqlBacklog($"Data Source={Path.Combine(_folder, $"{Guid.NewGuid():N}.db")};Default Timeout=30", maxEvents);

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }
}
