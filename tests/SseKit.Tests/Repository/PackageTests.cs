using System.Diagnostics;
using System.IO.Compression;
using System.Text.RegularExpressions;

namespace SseKit.Tests.Repository;

/// <summary>What a newcomer has: the package, the README, and an empty web project outside the repository.</summary>
public sealed partial class PackageTests(PackageTests.Feed feed) : IClassFixture<PackageTests.Feed>
{
    private static readonly TimeSpan Guard = TimeSpan.FromMinutes(3);

    public static TheoryData<int> Examples => new(Enumerable.Range(0, ReadmeExamples().Count));

    [Fact]
    public async Task The_first_example_of_the_readme_streams_from_an_empty_web_project()
    {
        var project = await feed.NewWebProjectAsync("Clock", ReadmeExamples()[0]);
        await Feed.DotnetAsync(project, "build", "-c", "Release");

        using var app = Start(project, Path.Combine("bin", "Release", "net10.0", "Clock.dll"), "--urls", "http://127.0.0.1:0");
        try
        {
            var address = await AddressOfAsync(app);
            using var client = new HttpClient();
            using var guard = new CancellationTokenSource(Guard);
            await using var stream = await client.GetStreamAsync(new Uri($"{address}/clock"), guard.Token);
            var lines = new StreamReader(stream);

            Assert.Equal("data: tick 1", await lines.ReadLineAsync(guard.Token));
            Assert.Equal("", await lines.ReadLineAsync(guard.Token));
            Assert.Equal("data: tick 2", await lines.ReadLineAsync(guard.Token));
        }
        finally
        {
            app.Kill();
        }
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public async Task Every_whole_example_of_the_readme_compiles_against_the_package(int example)
    {
        var project = await feed.NewWebProjectAsync($"Example{example}", ReadmeExamples()[example]);

        await Feed.DotnetAsync(project, "build", "-warnaserror");
    }

    [Fact]
    public void The_package_holds_the_library_its_docs_and_the_readme_and_depends_on_nothing_but_the_framework()
    {
        using var package = ZipFile.OpenRead(feed.Package);
        var names = package.Entries.Select(entry => entry.FullName).ToList();
        using var nuspec = new StreamReader(package.Entries.Single(entry => entry.FullName == "SseKit.nuspec").Open());
        var manifest = nuspec.ReadToEnd();

        Assert.Contains("lib/net10.0/SseKit.dll", names);
        Assert.Contains("lib/net10.0/SseKit.xml", names);
        Assert.Contains("README.md", names);
        Assert.DoesNotContain("<dependency ", manifest);
        Assert.Contains("<frameworkReference name=\"Microsoft.AspNetCore.App\" />", manifest);
        Assert.Contains("<license type=\"expression\">MIT</license>", manifest);
        Assert.Contains("<authors>SseKit contributors</authors>", manifest);
        Assert.True(File.Exists(Path.ChangeExtension(feed.Package, "snupkg")), "The symbols are missing.");
    }

    /// <summary>The examples that the README says are run or compiled: whole programs.</summary>
    private static List<string> ReadmeExamples() =>
        [.. WholeProgram().Matches(Sources.Text("README.md").ReplaceLineEndings("\n")).Select(match => match.Groups[1].Value)];

    [GeneratedRegex(@"<!-- Program\.cs, (?:run|compiled) by a test -->\n```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex WholeProgram();

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Listening();

    private static async Task<string> AddressOfAsync(Process app)
    {
        using var guard = new CancellationTokenSource(Guard);
        while (await app.StandardOutput.ReadLineAsync(guard.Token) is { } line)
        {
            if (Listening().Match(line) is { Success: true } match)
            {
                return match.Groups[1].Value;
            }
        }

        throw new InvalidOperationException("The app ended before it listened.");
    }

    private static Process Start(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };

        // A build inside a test run must not take over the settings of the build around it.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            start.Environment.Remove(name);
        }

        return Process.Start(start)!;
    }

    /// <summary>The package, packed from this tree into a folder of its own.</summary>
    public sealed class Feed : IAsyncLifetime
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("ssekit-package-").FullName;

        public string Package { get; private set; } = "";

        public async ValueTask InitializeAsync()
        {
            var feed = Path.Combine(_folder, "feed");

            // From a copy: the library may be built in its usual folders at this moment.
            var copy = Path.Combine(_folder, "copy");
            foreach (var file in Directory.GetFiles(Sources.Root, "*", SearchOption.TopDirectoryOnly).Concat(LibraryFiles()))
            {
                var target = Path.Combine(copy, Path.GetRelativePath(Sources.Root, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }

            await DotnetAsync(Path.Combine(copy, "src", "SseKit"), "pack", "-c", "Release", "-o", feed);
            Package = Directory.GetFiles(feed, "*.nupkg").Single();

            // Its own package folder, so that the machine's cache neither answers with an older build nor keeps this one.
            await File.WriteAllTextAsync(Path.Combine(_folder, "nuget.config"), $"""
                <configuration>
                  <config><add key="globalPackagesFolder" value="{_folder}/packages" /></config>
                  <packageSources><add key="built" value="{feed}" /></packageSources>
                </configuration>
                """);
        }

        public async Task<string> NewWebProjectAsync(string name, string program)
        {
            var project = Path.Combine(_folder, name);
            await DotnetAsync(_folder, "new", "web", "-o", name, "--no-restore");
            await DotnetAsync(project, "add", "package", "SseKit");
            await File.WriteAllTextAsync(Path.Combine(project, "Program.cs"), program);
            return project;
        }

        public static async Task DotnetAsync(string folder, params string[] arguments)
        {
            using var dotnet = Start(folder, arguments);
            var output = dotnet.StandardOutput.ReadToEndAsync();
            var errors = dotnet.StandardError.ReadToEndAsync();
            using var guard = new CancellationTokenSource(Guard);
            await dotnet.WaitForExitAsync(guard.Token);
            Assert.True(dotnet.ExitCode == 0, $"dotnet {string.Join(' ', arguments)} failed:\n{await output}\n{await errors}");
        }

        private static IEnumerable<string> LibraryFiles()
        {
            var library = Path.Combine(Sources.Root, "src", "SseKit");
            return Directory.GetFiles(library, "*", SearchOption.AllDirectories)
                .Where(file => Path.GetRelativePath(library, file).Split(Path.DirectorySeparatorChar)[0] is not ("bin" or "obj"));
        }

        public ValueTask DisposeAsync()
        {
            Directory.Delete(_folder, recursive: true);
            return default;
        }
    }
}
