using System.Text.RegularExpressions;

namespace SseKit.Tests.Repository;

/// <summary>The rule of src/SseKit/README.md: a folder is a stage, and looks left only.</summary>
public sealed partial class LayersTests
{
    private static readonly Dictionary<string, string[]> MayName = new()
    {
        ["Waiting"] = [],
        ["Wire"] = [],
        ["Diagnostics"] = [],
        ["Topics"] = ["Waiting", "Wire", "Diagnostics"],
        ["Producing"] = ["Waiting", "Wire", "Diagnostics", "Topics"],
        ["Streaming"] = ["Waiting", "Wire", "Diagnostics", "Topics", "Producing"],
        ["Watching"] = ["Waiting", "Wire", "Diagnostics", "Streaming"],
    };

    private static string Library => Path.Combine(Sources.Root, "src", "SseKit");

    [Fact]
    public void Every_folder_of_the_library_is_a_stage_with_a_place()
    {
        var folders = Directory.GetDirectories(Library).Select(Path.GetFileName).Where(name => name is not ("bin" or "obj" or "Guide"));

        Assert.Equal(MayName.Keys.Order(), folders.Order());
    }

    [Theory]
    [InlineData("Waiting")]
    [InlineData("Wire")]
    [InlineData("Diagnostics")]
    [InlineData("Topics")]
    [InlineData("Producing")]
    [InlineData("Streaming")]
    [InlineData("Watching")]
    public void A_stage_names_only_what_lies_left_of_it(string folder)
    {
        var named = Files(folder).SelectMany(text => StageName().Matches(text)).Select(match => match.Groups[1].Value).Distinct();

        Assert.Empty(named.Except([folder, .. MayName[folder]]));
    }

    [Theory]
    [InlineData("Waiting")]
    [InlineData("Wire")]
    [InlineData("Topics")]
    [InlineData("Producing")]
    public void Encoding_and_topics_do_not_know_http(string folder) =>
        Assert.All(Files(folder), text => Assert.DoesNotContain("AspNetCore", text));

    [Fact]
    public void The_root_holds_one_public_type_a_file()
    {
        foreach (var file in Directory.GetFiles(Library, "*.cs"))
        {
            Assert.True(PublicType().Count(File.ReadAllText(file)) == 1, $"{Path.GetFileName(file)} does not hold one public type.");
        }
    }

    private static IEnumerable<string> Files(string folder) => Directory.GetFiles(Path.Combine(Library, folder), "*.cs").Select(File.ReadAllText);

    [GeneratedRegex(@"\bSseKit\.(Waiting|Wire|Diagnostics|Topics|Producing|Streaming|Watching)\b")]
    private static partial Regex StageName();

    [GeneratedRegex(@"^public .*\b(class|struct|interface|enum)\b", RegexOptions.Multiline)]
    private static partial Regex PublicType();
}
