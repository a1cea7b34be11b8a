namespace SseKit.Tests.Repository;

/// <summary>The README's example of one stream for many subjects, run.</summary>
public sealed partial class PackageTests
{
    [Fact]
    public async Task The_example_of_one_stream_for_many_subjects_gives_each_page_its_own()
    {
        var project = await feed.NewWebProjectAsync("Shop", ReadmeExamples().Single(program => program.Contains("o.Filter", StringComparison.Ordinal)));
        await Feed.DotnetAsync(project, "build", "-c", "Release");

        using var app = Start(project, Path.Combine("bin", "Release", "net10.0", "Shop.dll"), "--urls", "http://127.0.0.1:0");
        try
        {
            using var guard = new CancellationTokenSource(Guard);
            using var client = new HttpClient { BaseAddress = new Uri(await AddressOfAsync(app)) };
            await using var stream = await client.GetStreamAsync(new Uri("/live?of=order/7&of=order/8", UriKind.Relative), guard.Token);
            using var lines = new StreamReader(stream);
            foreach (var step in new[] { "9/ship", "7/ship", "9/typing?who=Bob", "7/typing?who=Ann", "8/ship" })
            {
                (await client.PostAsync(new Uri($"/orders/{step}", UriKind.Relative), content: null, guard.Token)).EnsureSuccessStatusCode();
            }

            var told = new List<string>();
            while (told.Count < 3)
            {
                var line = await lines.ReadLineAsync(guard.Token);
                if (line!.StartsWith("data: ", StringComparison.Ordinal))
                {
                    told.Add(line["data: ".Length..]);
                }
            }

            Assert.Equal(["{\"id\":7,\"state\":\"shipped\"}", "Ann", "{\"id\":8,\"state\":\"shipped\"}"], told);
        }
        finally
        {
            app.Kill();
        }
    }
}
