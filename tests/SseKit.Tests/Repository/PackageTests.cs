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
        var manifest = AssertHolds(feed.Package, "SseKit");

        Assert.DoesNotContain("<dependency ", manifest);
        Assert.Contains("<frameworkReference name=\"Microsoft.AspNetCore.App\" />", manifest);
    }

    [Fact]
    public void The_package_of_the_test_kit_depends_on_the_library_alone_and_on_no_test_framework()
    {
        var manifest = AssertHolds(feed.Kit, "SseKit.Testing");

        Assert.Equal("SseKit", Assert.Single(Dependency().Matches(manifest)).Groups[1].Value);
        Assert.Contains("<frameworkReference name=\"Microsoft.AspNetCore.App\" />", manifest);
    }

    [Fact]
    public async Task Packages_that_are_built_elsewhere_and_later_are_the_same_byte_for_byte()
    {
        var again = await feed.PackAgainAsync();

        Assert.Equal(4, again.Length);
        Assert.All(again, file => Assert.Equal(
            File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(feed.Package)!, Path.GetFileName(file))), File.ReadAllBytes(file)));
    }

    [Fact]
    public async Task The_test_kit_tests_apps_from_a_project_outside_the_repository_with_the_library_and_without()
    {
        // A program and no test project: the kit asks for no test framework, and none is at hand outside.
        var project = await feed.NewWebProjectAsync("Kit", """
            using System.Net.Http.Json;
            using SseKit;
            using SseKit.Testing;

            var builder = WebApplication.CreateBuilder(["--urls", "http://127.0.0.1:0"]);
            builder.Services.AddSse(o => o.MaxEventsPerTopic = 3);
            await using var with = builder.Build();
            with.MapSse("/orders/live", "orders");
            with.MapPost("/orders", async (Order order, ISseTopics topics) => await topics.PublishAsync("orders", SseEvent.Json(order)));
            await with.StartAsync();
            using (var client = new HttpClient { BaseAddress = new Uri(with.Urls.Single()) })
            {
                await using var stream = await client.OpenSseAsync("/orders/live");
                await stream.NextAsync();
                stream.Cut();
                await client.PostAsJsonAsync("/orders", new Order(7, "tea"));
                await stream.ReconnectAsync();
                Console.WriteLine($"with: {(await stream.NextEventAsync()).Json<Order>()}");
            }

            await using var without = WebApplication.CreateBuilder(["--urls", "http://127.0.0.1:0"]).Build();
            without.MapGet("/letters", () => TypedResults.ServerSentEvents(new[] { "a", "b" }.ToAsyncEnumerable(), "letter"));
            await without.StartAsync();
            using (var client = new HttpClient { BaseAddress = new Uri(without.Urls.Single()) })
            {
                await using var stream = await client.OpenSseAsync("/letters");
                Console.WriteLine($"without: {string.Join(", ", await stream.ReadEventsAsync().ToListAsync())}");
            }

            await new Contract(with.Services.GetRequiredService<ISseBacklog>()).RunAsync(nameof(SseBacklogContract.Trimming_keeps_the_newest_and_their_links_and_the_head));
            Console.WriteLine($"kept: {SseBacklogContract.Checks.Any()}");

            record Order(int Id, string What);

            class Contract(ISseBacklog store) : SseBacklogContract
            {
                protected override ISseBacklog Create(int maxEvents) => store;
            }
            """, "SseKit.Testing");
        await Feed.DotnetAsync(project, "build", "-c", "Release", "-warnaserror");

        using var program = Start(project, Path.Combine("bin", "Release", "net10.0", "Kit.dll"));
        var output = program.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = program.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        using var guard = new CancellationTokenSource(Guard);
        await program.WaitForExitAsync(guard.Token);

        Assert.True(program.ExitCode == 0, await errors);
        Assert.Contains("with: Order { Id = 7, What = tea }", await output, StringComparison.Ordinal);
        Assert.Contains("without: letter: a, letter: b", await output, StringComparison.Ordinal);
        Assert.Contains("kept: True", await output, StringComparison.Ordinal);
    }

    /// <summary>What every package of this repository holds. Gives its manifest.</summary>
    private static string AssertHolds(string file, string name)
    {
        using var package = ZipFile.OpenRead(file);
        var names = package.Entries.Select(entry => entry.FullName).ToList();
        using var nuspec = new StreamReader(package.Entries.Single(entry => entry.FullName == $"{name}.nuspec").Open());
        var manifest = nuspec.ReadToEnd();

        Assert.Contains($"lib/net10.0/{name}.dll", names);
        Assert.Contains($"lib/net10.0/{name}.xml", names);
        Assert.Contains("README.md", names);
        Assert.Contains("<license type=\"expression\">MIT</license>", manifest);
        Assert.Contains("<authors>SseKit contributors</authors>", manifest);
        Assert.True(File.Exists(Path.ChangeExtension(file, "snupkg")), "The symbols are missing.");
        return manifest;
    }

    /// <summary>The examples that the README says are run or compiled: whole programs.</summary>
    private static List<string> ReadmeExamples() =>
        [.. WholeProgram().Matches(Sources.Text("README.md").ReplaceLineEndings("\n")).Select(match => match.Groups[1].Value)];

    [GeneratedRegex(@"<!-- Program\.cs, (?:run|compiled) by a test -->\n```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex WholeProgram();

    [GeneratedRegex("<dependency id=\"([^\"]+)\"")]
    private static partial Regex Dependency();

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

        public string Kit { get; private set; } = "";

        public async ValueTask InitializeAsync()
        {
            var feed = Path.Combine(_folder, "feed");

            await PackAsync(Path.Combine(_folder, "copy"), feed);
            Package = Directory.GetFiles(feed, "SseKit.?.*.nupkg").Single();
            Kit = Directory.GetFiles(feed, "SseKit.Testing.*.nupkg").Single();

            // Its own package folder, so that the machine's cache neither answers with an older build nor keeps this one.
            await File.WriteAllTextAsync(Path.Combine(_folder, "nuget.config"), $"""
                <configuration>
                  <config><add key="globalPackagesFolder" value="{_folder}/packages" /></config>
                  <packageSources><add key="built" value="{feed}" /></packageSources>
                </configuration>
                """);
        }

        /// <summary>Packs once more, from another folder.</summary>
        public async Task<string[]> PackAgainAsync()
        {
            var again = Path.Combine(_folder, "again");
            await PackAsync(Path.Combine(_folder, "another", "copy"), again);
            return Directory.GetFiles(again);
        }

        // From a copy: the library may be built in its usual folders at this moment.
        private static async Task PackAsync(string copy, string feed)
        {
            foreach (var file in Directory.GetFiles(Sources.Root, "*", SearchOption.TopDirectoryOnly).Concat(LibraryFiles("SseKit")).Concat(LibraryFiles("SseKit.Testing")))
            {
                var target = Path.Combine(copy, Path.GetRelativePath(Sources.Root, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target);
            }

            // The kit brings the library along.
            await DotnetAsync(Path.Combine(copy, "src", "SseKit.Testing"), "build", "-c", "Release");
            foreach (var library in new[] { "SseKit", "SseKit.Testing" })
            {
                await DotnetAsync(Path.Combine(copy, "src", library), "pack", "-c", "Release", "--no-build", "-o", feed);
            }
        }

        public async Task<string> NewWebProjectAsync(string name, string program, string package = "SseKit")
        {
            var project = Path.Combine(_folder, name);
            await DotnetAsync(_folder, "new", "web", "-o", name, "--no-restore");
            await DotnetAsync(project, "add", "package", package);
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

        private static IEnumerable<string> LibraryFiles(string name)
        {
            var library = Path.Combine(Sources.Root, "src", name);
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
