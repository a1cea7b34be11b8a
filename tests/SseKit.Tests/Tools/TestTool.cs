namespace SseKit.Tests.Tools;

/// <summary>
/// A program or file that some tests need and that is not part of the repository. Where it is missing the test is skipped with the way to
/// get it; with <c>CI=true</c> it fails, so that a build cannot be green because nothing was tried.
/// </summary>
internal static class TestTool
{
    /// <summary>The path of a program: what the variable says, else the first on PATH.</summary>
    public static string Require(string name, string variable, string howToGet)
    {
        var told = Environment.GetEnvironmentVariable(variable);
        if (!string.IsNullOrEmpty(told))
        {
            // A wrong answer is a mistake to be seen, never a reason to skip.
            Assert.True(File.Exists(told), $"{variable} is '{told}', and there is no such file.");
            return told;
        }

        return Find(name) ?? Missing($"No {name} on PATH, and {variable} is not set. {howToGet}");
    }

    /// <summary>The path of a file or folder that a command puts into the work tree, such as <c>node_modules</c>.</summary>
    public static string RequireFile(string path, string howToGet) =>
        Path.Exists(path) ? path : Missing($"There is no {Path.GetFileName(path)}. {howToGet}");

    private static string? Find(string name)
    {
        string[] endings = OperatingSystem.IsWindows() ? [".exe", ".cmd"] : [""];
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(folder => endings.Select(ending => Path.Combine(folder, name + ending)))
            .FirstOrDefault(File.Exists);
    }

    private static string Missing(string reason)
    {
        if (Environment.GetEnvironmentVariable("CI") == "true")
        {
            Assert.Fail(reason);
        }

        Assert.Skip(reason);
        return "";
    }
}
