using System.Diagnostics;
using System.Text;
using SseKit.Tests.Tools;

namespace SseKit.ClientTests;

/// <summary>The first response of each stream as it is: through curl, and line by line through HttpClient.</summary>
internal static class RawRun
{
    public const string Curl = "curl";
    public const string Lines = "HttpClient";

    /// <summary>What curl wrote, and the code it ended with.</summary>
    public static async Task<(string Text, int Code)> CurlAsync(string url, CancellationToken stop)
    {
        var curl = TestTool.Require("curl", "SSEKIT_CURL", "Install it: apt-get install curl.");
        var start = new ProcessStartInfo(curl, ["--no-buffer", "--silent", "--noproxy", "*", "--max-time", "60", url])
        {
            RedirectStandardOutput = true,
            StandardOutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        };
        using var process = Process.Start(start)!;
        var text = await process.StandardOutput.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        return (text, process.ExitCode);
    }

    /// <summary>The lines that came, and whether the response ended as it should.</summary>
    public static async Task<(IReadOnlyList<string> Lines, bool Complete)> LinesAsync(HttpClient http, string url, CancellationToken stop)
    {
        var lines = new List<string>();
        try
        {
            using var response = await http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, stop);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(stop));
            while (await reader.ReadLineAsync(stop) is { } line)
            {
                lines.Add(line);
            }

            return (lines, true);
        }
        catch (IOException)
        {
            return (lines, false);
        }
    }
}
