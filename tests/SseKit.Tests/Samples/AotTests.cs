using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using SseKit.Testing;
using SseKit.Tests.Repository;
using SseKit.Tests.Streaming;
using SseKit.Tests.Tools;

namespace SseKit.Tests.Samples;

/// <summary>The AOT sample, published as its users would and run as a native program.</summary>
public sealed partial class AotTests(AotTests.Published published) : IClassFixture<AotTests.Published>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_native_program_streams_resumes_and_stops_cleanly()
    {
        // Publishing fails on any warning of the trimmer or of the native compiler.
        var program = await published.ProgramAsync();
        using var app = Process.Start(new ProcessStartInfo(program, ["--urls", "http://127.0.0.1:0", "--Sse:KeepAliveInterval", "00:00:00.2"])
        {
            WorkingDirectory = Path.GetDirectoryName(program)!,
            RedirectStandardOutput = true,
        })!;
        try
        {
            var address = await AddressOfAsync(app);
            var rest = app.StandardOutput.ReadToEndAsync(Stop);
            using var client = new HttpClient { BaseAddress = address };

            await using var live = await client.OpenSseAsync("/orders/live", cancellationToken: Stop);
            await live.NextCommentAsync(cancellationToken: Stop);
            await OrderAsync(client, 1);
            AssertOrder(1, await live.NextEventAsync(Stop));
            live.Cut();
            await OrderAsync(client, 2);
            await OrderAsync(client, 3);
            await live.ReconnectAsync(Stop);
            AssertOrder(2, await live.NextEventAsync(Stop));
            AssertOrder(3, await live.NextEventAsync(Stop));

            await using var progress = await client.OpenSseAsync("/jobs/tea/progress", cancellationToken: Stop);
            Assert.Equal(
                new[] { 0, 25, 50, 75, 100 }.Select(percent => $$"""{"job":"tea","percent":{{percent}}}"""),
                await progress.ReadEventsAsync(Stop).Select(item => item.Data).ToListAsync(Stop));

            using var kill = Process.Start("kill", ["-TERM", $"{app.Id}"]);
            await live.ReadToEndAsync(Stop);
            Assert.NotNull(live.ReconnectionInterval);

            await app.WaitForExitAsync(Stop).Soon();
            Assert.True(app.ExitCode == 0, $"It ended with {app.ExitCode}:\n{await rest}");
        }
        finally
        {
            app.Kill();
        }
    }

    [Fact]
    public async Task A_native_program_with_wrong_settings_says_so_and_does_not_start()
    {
        var program = await published.ProgramAsync();
        using var app = Process.Start(new ProcessStartInfo(program, ["--urls", "http://127.0.0.1:0", "--Sse:KeepAliveInterval", "15"])
        {
            WorkingDirectory = Path.GetDirectoryName(program)!,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        var output = await app.StandardError.ReadToEndAsync(Stop).Soon() + await app.StandardOutput.ReadToEndAsync(Stop).Soon();
        await app.WaitForExitAsync(Stop).Soon();

        Assert.NotEqual(0, app.ExitCode);
        Assert.Contains("Sse:KeepAliveInterval is '15'; it must be a time such as 00:00:15", output, StringComparison.Ordinal);
    }

    private static async Task<Uri> AddressOfAsync(Process app)
    {
        while (await app.StandardOutput.ReadLineAsync().Soon() is { } line)
        {
            if (Listening().Match(line) is { Success: true } match)
            {
                return new Uri(match.Groups[1].Value);
            }
        }

        throw new InvalidOperationException("The program ended before it listened.");
    }

    private static async Task OrderAsync(HttpClient client, int id)
    {
        var response = await client.PostAsJsonAsync("/orders", new { id, what = "tea" }, Stop).Soon();
        response.EnsureSuccessStatusCode();
    }

    private static void AssertOrder(int id, SseTestItem item) => Assert.Equal($$"""{"id":{{id}},"what":"tea"}""", item.Data);

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Listening();

    /// <summary>Publishes once, in a folder of its own: the library may be built in its usual folders at this moment.</summary>
    public sealed class Published : IAsyncDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

        private readonly string _folder = Directory.CreateTempSubdirectory("ssekit-aot-").FullName;

        private Task<string>? _program;

        public Task<string> ProgramAsync() => _program ??= PublishAsync();

        private async Task<string> PublishAsync()
        {
            if (OperatingSystem.IsWindows())
            {
                Assert.Skip("The sample is stopped by SIGTERM, which Windows does not have.");
            }

            var linker = TestTool.Require("clang", "SSEKIT_LINKER", "Install it (apt-get install clang), or let SSEKIT_LINKER name gcc: native AOT links with it.");
            var start = new ProcessStartInfo("dotnet",
            [
                "publish", Path.Combine(Sources.Root, "samples", "Aot"), "-c", "Release", "-o", Path.Combine(_folder, "out"),
                "--artifacts-path", Path.Combine(_folder, "build"), $"-p:CppCompilerAndLinker={linker}", "-p:StripSymbols=false", "-nodeReuse:false",
            ])
            {
                RedirectStandardOutput = true,
            };

            // A build inside a test run must not take over the settings of the build around it.
            foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
            {
                start.Environment.Remove(name);
            }

            using var publish = Process.Start(start)!;
            var output = publish.StandardOutput.ReadToEndAsync();
            await publish.WaitForExitAsync().WaitAsync(Patience);
            Assert.True(publish.ExitCode == 0, await output);
            Assert.DoesNotContain("warning", await output, StringComparison.OrdinalIgnoreCase);
            return Path.Combine(_folder, "out", "Aot");
        }

        public ValueTask DisposeAsync()
        {
            Directory.Delete(_folder, recursive: true);
            return default;
        }
    }
}
