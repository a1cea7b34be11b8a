// The same from controllers: an action returns an EventSourceResult, for a topic or for a sequence of its own.
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Mvc;
using SseKit;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddControllers();
builder.Services.AddSse();
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton<Counter>();
builder.Services.AddHostedService(services => services.GetRequiredService<Counter>());
builder.Services.AddSingleton<Plug>();

var app = builder.Build();
app.UseFileServer();
app.UseMiddleware<Plug>();
app.MapPost("/plug/{tab}", (string tab, int? seconds, Plug plug) => plug.Pull(tab, seconds ?? 0));
app.MapControllers();
app.Run();

[ApiController]
[Route("numbers")]
public sealed class NumbersController(Counter counter) : ControllerBase
{
    /// <summary>One publisher, any number of browsers: who comes back goes on where it was, or is told of the gap and gets what holds now.</summary>
    [HttpGet("live")]
    public EventSourceResult Live() => EventSourceResult.FromTopic("numbers", o =>
    {
        o.OnGap = SseGapAction.Snapshot;
        o.Snapshot = (_, _) => new[] { SseEvent.Json(counter.Latest) with { EventType = "snapshot" } }.ToAsyncEnumerable();
    });
}

[ApiController]
[Route("jobs")]
public sealed class JobsController(TimeProvider time) : ControllerBase
{
    /// <summary>A sequence for this request alone: it begins when somebody asks and is cancelled when they leave.</summary>
    [HttpGet("import")]
    public EventSourceResult<Progress> Import() => new(ImportAsync());

    private async IAsyncEnumerable<Progress> ImportAsync([EnumeratorCancellation] CancellationToken stop = default)
    {
        for (var percent = 0; percent <= 100; percent += 5)
        {
            yield return new Progress(percent, percent < 100 ? "importing" : "done");
            await Task.Delay(TimeSpan.FromMilliseconds(200), time, stop);
        }
    }
}

public sealed record Progress(int Percent, string State);

public sealed record Tick(long Number, DateTimeOffset At);

public sealed class Counter(ISseTopics topics, TimeProvider time) : BackgroundService
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
