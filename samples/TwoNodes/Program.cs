// Two processes of one app, one Redis, and a proxy before them. Run it, open the page, kill the node that serves it: no number is missing.
// It needs redis-server on the PATH, or a Redis that is there: dotnet run --project samples/TwoNodes -- --redis localhost:6379
using SseKit;

if (args is not ["node", var name, var redis, ..])
{
    await Launcher.RunAsync(args);
    return;
}

var builder = WebApplication.CreateBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.Services.AddSse().AddStackExchangeRedis(redis);

var app = builder.Build();
app.Use((context, next) =>
{
    // For the page to show: EventSource reads no headers, but the browser keeps the cookie.
    context.Response.Cookies.Append("node", name);
    return next(context);
});
app.MapSse("/numbers/live", "numbers");
app.MapPost("/numbers/{number}", (long number, ISseTopics topics) => topics.PublishAsync("numbers", SseEvent.Json(new Tick(number, name))).AsTask());
app.Run();

internal sealed record Tick(long Number, string By);
