// A node with producers as a process of its own, for tests that kill it. Its argument: where Redis is. It says where it listens.
using System.Globalization;
using System.Runtime.CompilerServices;
using SseKit;

var builder = WebApplication.CreateSlimBuilder();
builder.WebHost.UseUrls("http://127.0.0.1:0");
builder.Logging.ClearProviders();
builder.Services.AddSse(o => o.ProducerLease = TimeSpan.FromSeconds(2)).AddStackExchangeRedis(args[0]);
var app = builder.Build();
app.MapGet("/resumed/{topic}", (string topic) => EventSourceResult.FromProducer(
    topic, (_, stop) => Numbers(1, 100, stop), o => o.Resume = (_, last, stop) => Numbers(last is { } from ? Next(from) : 1, 100, stop)));
app.MapGet("/lost/{topic}", (string topic) => EventSourceResult.FromProducer(topic, (_, stop) => Numbers(1, 100_000, stop)));
await app.StartAsync();
Console.WriteLine(app.Urls.Single());

// The pipe closes when the tests end, however they end.
await Console.In.ReadToEndAsync();

static int Next(SseEvent last) => int.Parse(last.Data!, CultureInfo.InvariantCulture) + 1;

static async IAsyncEnumerable<SseEvent> Numbers(int from, int to, [EnumeratorCancellation] CancellationToken stop)
{
    for (var i = from; i <= to; i++)
    {
        yield return i.ToString(CultureInfo.InvariantCulture);
        await Task.Delay(10, stop);
    }
}
