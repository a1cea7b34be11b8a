using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using SseKit.Tests.Repository;
using SseKit.Tests.Streaming;
using SseKit.Tests.Tools;

namespace SseKit.Tests.Samples;

/// <summary>The AOT sample, published as its users would and run as a native program.</summary>
public sealed partial class AotTests(AotTests.Published published) : IClassFixture<AotTests.Published>
{
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
            var rest = app.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            using var client = new HttpClient { BaseAddress = address };

            string lastId;
            using (var live = await OpenAsync(client, "/orders/live"))
            {
                Assert.StartsWith("id: ", await live.ReadToAsync("\n\n"));
                await OrderAsync(client, 1);
                lastId = IdOf(await live.ReadToAsync("\n\n"), order: 1);
            }

            await OrderAsync(client, 2);
            await OrderAsync(client, 3);
            using (var resumed = await OpenAsync(client, "/orders/live", lastId))
            using (var progress = await OpenAsync(client, "/jobs/tea/progress"))
            {
                IdOf(await resumed.ReadToAsync("\n\n"), order: 2);
                IdOf(await resumed.ReadToAsync("\n\n"), order: 3);
                foreach (var percent in new[] { 0, 25, 50, 75, 100 })
                {
                    Assert.Equal($$"""data: {"job":"tea","percent":{{percent}}}""" + "\n\n", await progress.ReadToAsync("\n\n"));
                }

                Assert.Equal("", await progress.ReadToEndAsync());

                using var kill = Process.Start("kill", ["-TERM", $"{app.Id}"]);
                Assert.StartsWith("retry: ", await resumed.ReadToEndAsync());
            }

            await app.WaitForExitAsync(TestContext.Current.CancellationToken).Soon();
            Assert.True(app.ExitCode == 0, $"It ended with {app.ExitCode}:\n{await rest}");
        }
        finally
        {
            app.Kill();
        }
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

    private static async Task<ClientStream> OpenAsync(HttpClient client, string path, string? lastEventId = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken).Soon();
        response.EnsureSuccessStatusCode();
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.ToString());
        return new ClientStream(response, await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
    }

    private static async Task OrderAsync(HttpClient client, int id)
    {
        var response = await client.PostAsJsonAsync("/orders", new { id, what = "tea" }, TestContext.Current.CancellationToken).Soon();
        response.EnsureSuccessStatusCode();
    }

    private static string IdOf(string block, int order)
    {
        var match = Regex.Match(block, """^data: \{"id":([0-9]+),"what":"tea"\}\nid: (.+)\n\n$""");
        Assert.True(match.Success && match.Groups[1].Value == $"{order}", $"Not order {order}: {block}");
        return match.Groups[2].Value;
    }

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Listening();

    /// <summary>Publishes once, in a folder of its own: the library may be built in its usual folders at this moment.</summary>
    public sealed class Published : IAsyncDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

        private readonly string _folder = Directory.CreateTempSubdirectory("ssekit-aot-").FullName;

        public async Task<string> ProgramAsync()
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
