// One native program: no runtime to install, no reflection. dotnet publish -c Release; it wants clang or gcc.
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using SseKit;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Services.ConfigureHttpJsonOptions(o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, Contracts.Default));
builder.Services.AddSse(builder.Configuration.GetSection("Sse"));

var app = builder.Build();
app.UseSse();

app.MapSse("/orders/live", "orders");
app.MapPost("/orders", async (Order order, ISseTopics topics) => Results.Text(await topics.PublishAsync("orders", SseEvent.Json(order))));
app.MapGet("/jobs/{id}/progress", (string id, CancellationToken stop) => EventSourceResult.From(Watch(id, stop)));

app.Run();

static async IAsyncEnumerable<Progress> Watch(string job, [EnumeratorCancellation] CancellationToken stop)
{
    for (var percent = 0; percent <= 100; percent += 25)
    {
        yield return new Progress(job, percent);
        await Task.Delay(200, stop);
    }
}

internal sealed record Order(int Id, string What);

internal sealed record Progress(string Job, int Percent);

// Web defaults, as the app's own JSON has them.
[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Order))]
[JsonSerializable(typeof(Progress))]
internal sealed partial class Contracts : JsonSerializerContext;
