using SseKit.Tests.Repository;

namespace SseKit.Tests.Guide;

/// <summary>A page of the guide, from which the tests take what they run: what is printed there is what was tried.</summary>
internal static class GuidePage
{
    /// <summary>The block of code that follows the comment <c>&lt;!-- name, run by a test --&gt;</c>.</summary>
    public static string Block(string page, string name)
    {
        var text = Sources.Text("src", "SseKit", "Guide", page).ReplaceLineEndings("\n");
        var mark = $"<!-- {name}, run by a test -->\n```";
        var at = text.IndexOf(mark, StringComparison.Ordinal);
        Assert.True(at >= 0, $"{page} has no block '{name}'.");
        var begin = text.IndexOf('\n', at + mark.Length) + 1;
        return text[begin..text.IndexOf("```", begin, StringComparison.Ordinal)];
    }
}
