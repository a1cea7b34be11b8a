// A model's answer that outlives its page: reload, open a second tab, lose the network, or stop it. Run it, open the page, ask.
// With a Redis it outlives the server, too: dotnet run --project samples/Chat -- --redis localhost:6379
using Microsoft.Extensions.AI;
using SseKit;

var builder = WebApplication.CreateBuilder(args);

// The one line to change for a real model: an IChatClient of whatever vendor.
builder.Services.AddSingleton<IChatClient, LocalChatClient>();

var sse = builder.Services.AddSse(builder.Configuration.GetSection("Sse"));
if (builder.Configuration["Redis"] is { Length: > 0 } redis)
{
    sse.AddStackExchangeRedis(redis);
}

var app = builder.Build();
app.UseFileServer();

// POST starts and says the id; whoever knows it, GETs the whole, however often. A GET that starts costly work would not be safe.
app.MapPost("/chat", async (Question question, ISseProducers producers) =>
{
    var id = Guid.NewGuid().ToString("N");
    await producers.StartAsync(Answers.Topic(id), (services, stop) => Answers.Begin(services, question.Text, stop));
    return Results.Accepted($"/chat/{id}", new Started(id));
});
app.MapGet("/chat/{id:guid}", (string id) => EventSourceResult.FromProducer(
    Answers.Topic(id), o => o.Resume = (services, last, stop) => Answers.GoOn(services, id, last, stop)));
app.MapPost("/chat/{id:guid}/stop", async (string id, ISseProducers producers) =>
    await producers.StopAsync(Answers.Topic(id)) ? Results.NoContent() : Results.NotFound());
app.MapGet("/chats", (ISseProducers producers) => producers.Running.Select(topic => topic[Answers.Topic("").Length..]).Order());

app.Run();

internal sealed record Question(string Text);

internal sealed record Started(string Id);
