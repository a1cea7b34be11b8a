using System.Runtime.CompilerServices;

namespace SseKit.Tests.Repository;

public class PublicApiTests
{
    [Fact]
    public void The_public_api_is_what_was_reviewed() =>
        PublicApi.AssertReviewed(typeof(SseKit.SseEvent).Assembly, Path.Combine(Path.GetDirectoryName(ThisFile())!, "PublicApi.txt"));

    [Fact]
    public void The_public_api_of_the_test_kit_is_what_was_reviewed() =>
        PublicApi.AssertReviewed(typeof(SseKit.Testing.SseBacklogContract).Assembly, Path.Combine(Path.GetDirectoryName(ThisFile())!, "PublicApi.Testing.txt"));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
