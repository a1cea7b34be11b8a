using System.Runtime.CompilerServices;

namespace SseKit.Tests.Repository;

/// <summary>The repository that the tests were built from.</summary>
internal static class Sources
{
    public static string Root { get; } = Find();

    public static string Text(params string[] path) => File.ReadAllText(Path.Combine([Root, .. path]));

    private static string Find([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));
}
