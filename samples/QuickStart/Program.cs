// One publisher, any number of browsers. Run it, open the page, pull the plug: no number is missing, and none comes twice.
using SseKit;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSse();
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton<Counter>();
builder.Services.AddHostedService(services => services.GetRequiredService<Counter>());
builder.Services.AddSingleton<Plug>();

var app = builder.Build();
app.UseFileServer();
app.UseMiddleware<Plug>();
app.MapPost("/plug/{tab}", (string tab, int? seconds, Plug plug) => plug.Pull(tab, seconds ?? 0));

app.MapSse("/numbers/live", "numbers", o =>
{
    // A restart empties the backlog in memory: whoever comes back from before it is told of the gap and gets what holds now.
    var counter = app.Services.GetRequiredService<Counter>();
    o.OnGap = SseGapAction.Snapshot;
    o.Snapshot = (_, _) => new[] { SseEvent.Json(counter.Latest) with { EventType = "snapshot" } }.ToAsyncEnumerable();
});

app.Run();

internal sealed record Tick(long Number, DateTimeOffset At);

internal sealed class Counter(ISseTopics topics, TimeProvider time) : BackgroundService
{
    public Tick Latest { get; private set; } = new(0, time.GetUtcNow());

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            // First the state, then the event: a snapshot may hold what follows it once more, but must not lack what came before.
            Latest = new Tick(Latest.Number + 1, time.GetUtcNow());
            await topics.PublishAsync("numbers", SseEvent.Json(Latest), stoppingToken);
        }
    }
}
