using System.Runtime.CompilerServices;

namespace SseKit.Tests.Repository;

public class PublicApiTests
{
    [Fact]
    public void The_public_api_is_what_was_reviewed()
    {
        var reviewedFile = Path.Combine(Path.GetDirectoryName(ThisFile())!, "PublicApi.txt");
        var actual = PublicApi.Render(typeof(SseKit.SseEvent).Assembly);

        if (Environment.GetEnvironmentVariable("SSEKIT_UPDATE_API") == "1")
        {
            File.WriteAllText(reviewedFile, actual);
            return;
        }

        var reviewed = File.ReadAllText(reviewedFile).ReplaceLineEndings("\n");
        if (actual == reviewed)
        {
            return;
        }

        var differences = actual.Split('\n').Except(reviewed.Split('\n')).Select(line => "+ " + line.Trim())
            .Concat(reviewed.Split('\n').Except(actual.Split('\n')).Select(line => "- " + line.Trim()))
            .DefaultIfEmpty("(the same lines in another order)");
        Assert.Fail($"""
            The public API is not the one in tests/SseKit.Tests/Repository/PublicApi.txt:
            {string.Join('\n', differences)}
            If that is intended, run this test once with the environment variable SSEKIT_UPDATE_API=1
            and let the change of PublicApi.txt be reviewed.
            """);
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
