using System.Runtime.CompilerServices;
using SseKit.Tests.Repository;

namespace SseKit.StackExchangeRedis.Tests;

public sealed class PublicApiTests
{
    [Fact]
    public void The_public_api_is_what_was_reviewed() =>
        PublicApi.AssertReviewed(typeof(SseRedisOptions).Assembly, Path.Combine(Path.GetDirectoryName(ThisFile())!, "PublicApi.txt"));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
