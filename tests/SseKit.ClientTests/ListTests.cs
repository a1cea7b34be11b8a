using System.Text.Json;

namespace SseKit.ClientTests;

/// <summary>CLIENTS.md says what the tests see.</summary>
public class ListTests
{
    [Fact]
    public void Every_deviation_is_written_down()
    {
        var rows = File.ReadAllLines(Path.Combine(ClientField.Folder(), "CLIENTS.md"));
        foreach (var deviation in Deviation.All)
        {
            var client = deviation.Client.Replace(", mended", "", StringComparison.Ordinal);
            Assert.Contains(rows, row => row.StartsWith('|') && row.Contains($"`{client}`", StringComparison.Ordinal) && row.Contains($"`{deviation.Source}`", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void The_versions_that_are_written_down_are_those_that_run()
    {
        var written = File.ReadAllText(Path.Combine(ClientField.Folder(), "CLIENTS.md"));
        using var package = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(ClientField.ClientFolder, "package.json")));
        foreach (var client in package.RootElement.GetProperty("dependencies").EnumerateObject())
        {
            Assert.Contains($"`{client.Name.Replace("@microsoft/", "", StringComparison.Ordinal)}` {client.Value.GetString()}", written, StringComparison.Ordinal);
        }
    }
}
