using System.IO.Pipelines;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Wire;

public partial class MadeIdTests
{
    [Fact]
    public async Task Ids_that_are_made_here_need_no_preflight()
    {
        var stop = TestContext.Current.CancellationToken;
        await using var services = new ServiceCollection().AddSse(sse => sse.MaxEventsPerTopic = 100).Services.BuildServiceProvider();
        var topics = services.GetRequiredService<ISseTopics>();
        var seen = new HashSet<string>();
        for (var i = 0; i < 200; i++)
        {
            var topic = $"orders/{i} ü\u2028";
            var blank = await topics.GetPositionAsync(topic, stop);
            Assert.Matches(Made, blank);
            Assert.True(seen.Add(blank));
            for (var j = 0; j < 250; j++)
            {
                var id = await topics.PublishAsync(topic, "d", stop);
                Assert.Matches(Made, id);
                Assert.True(seen.Add(id));
                Assert.Equal(id, await topics.GetPositionAsync(topic, stop));
            }
        }
    }

    [Theory]
    [InlineData("?lastEventId=%0D%0Aid:%20x", SseStart.Live)]
    [InlineData("?lastEventId=unknown", SseStart.Live)]
    [InlineData("", SseStart.Live)]
    [InlineData("", SseStart.Earliest)]
    [InlineData("", SseStart.Snapshot)]
    public async Task So_do_those_of_positions_gaps_and_snapshots(string query, SseStart start)
    {
        await using var services = new ServiceCollection().AddSse().Services.BuildServiceProvider();
        var topics = services.GetRequiredService<ISseTopics>();
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var body = new Pipe();
        var context = new DefaultHttpContext { RequestServices = services, RequestAborted = leave.Token };
        context.Request.QueryString = new QueryString(query);
        context.Response.Body = body.Writer.AsStream();
        await topics.PublishAsync("t", "before", TestContext.Current.CancellationToken);

        var response = EventSourceResult.FromTopic("t", topic =>
        {
            topic.Start = start;
            topic.Snapshot = (_, _) => new[] { new SseEvent("all") }.ToAsyncEnumerable();
        }).ExecuteAsync(context);
        var (text, ids) = ("", new List<string>());
        while (!text.Contains("data: after\n", StringComparison.Ordinal) || !text.EndsWith("\n\n", StringComparison.Ordinal))
        {
            var read = await body.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            text += Encoding.UTF8.GetString(read.Buffer);
            body.Reader.AdvanceTo(read.Buffer.End);
            if (!text.Contains("after", StringComparison.Ordinal))
            {
                await topics.PublishAsync("t", "after", TestContext.Current.CancellationToken);
            }
        }

        await leave.CancelAsync();
        await response.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        foreach (var line in text.Split('\n').Where(line => line.StartsWith("id: ", StringComparison.Ordinal)))
        {
            ids.Add(line["id: ".Length..]);
            Assert.Matches(Made, ids[^1]);
        }

        Assert.True(ids.Count >= 2, text);
    }

    // Fetch, "CORS-unsafe request-header byte": nothing of it is in here.
    [GeneratedRegex("^[0-9A-Za-z._-]{1,64}\\z")]
    private static partial Regex Made { get; }
}
