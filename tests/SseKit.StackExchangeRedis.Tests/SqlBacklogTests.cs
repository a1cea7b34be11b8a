using Microsoft.Data.Sqlite;
using SseKit.Testing;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The guide's worked example of a store of one's own keeps the same contract as every other.</summary>
public sealed class SqlBacklogTests : SseBacklogContract, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("ssekit-sql-").FullName;

    [Theory, MemberData(nameof(Checks))]
    public Task Keeps_the_contract(string check) => RunAsync(check);

    protected override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

    protected override ISseBacklog Create(int maxEvents = 1_000) =>
        new SqlBacklog($"Data Source={Path.Combine(_folder, $"{Guid.NewGuid():N}.db")};Default Timeout=30", maxEvents);

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }
}
