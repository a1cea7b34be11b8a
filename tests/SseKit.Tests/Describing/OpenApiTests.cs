using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using SseKit.Tests.Repository;
using SseKit.Tests.Streaming;
using Swashbuckle.AspNetCore.Swagger;

namespace SseKit.Tests.Describing;

/// <summary>What the two usual generators say of every way to declare a stream, against reviewed files.</summary>
public sealed class OpenApiTests
{
    private const string Update = "SSEKIT_UPDATE_OPENAPI";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    [Fact]
    public async Task The_document_of_the_framework_is_what_was_reviewed()
    {
        await using var app = await StartAsync();
        var json = await app.Client.GetStringAsync(new Uri("/openapi/v1.json", UriKind.Relative), TestContext.Current.CancellationToken).Soon();

        Compare(json, "Microsoft.json");
    }

    [Fact]
    public async Task The_document_of_Swashbuckle_is_what_was_reviewed()
    {
        await using var app = await StartAsync();
        using var scope = app.Web.Services.CreateScope();
        var document = await scope.ServiceProvider.GetRequiredService<IAsyncSwaggerProvider>().GetSwaggerAsync("v1");

        Compare(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1, TestContext.Current.CancellationToken), "Swashbuckle.json");
    }

    [Fact]
    public async Task A_mapped_stream_has_one_name_and_answers_HEAD_all_the_same()
    {
        await using var app = await StartAsync();
        var link = app.Web.Services.GetRequiredService<LinkGenerator>().GetPathByName("Topic");
        using var request = new HttpRequestMessage(HttpMethod.Head, link);
        using var response = await app.Client.SendAsync(request, TestContext.Current.CancellationToken).Soon();

        Assert.Equal("/topic", link);
        Assert.Equal("text/event-stream", response.EnsureSuccessStatusCode().Content.Headers.ContentType?.ToString());
    }

    private static Task<TestApp> StartAsync() => TestApp.StartInMemoryAsync(
        web =>
        {
            web.MapOpenApi();
            web.MapControllers();

            web.MapGet("/minimal/texts", () => new EventSourceResult(Events.Of("a")));
            web.MapGet("/minimal/values/{id}", (string id) => EventSourceResult.From(Note.Some(id)));
            web.MapGet("/minimal/later", async () => { await Task.Yield(); return EventSourceResult.From(Note.Some("a")); });
            web.MapGet("/minimal/union", Results<EventSourceResult<Note>, NotFound> (string id) => id == "" ? TypedResults.NotFound() : EventSourceResult.From(Note.Some(id)));
            web.MapGet("/minimal/untyped", IResult () => new EventSourceResult(Events.Of("a"))).Produces<Note>(200, "text/event-stream");
            web.MapSse("/topic", "notes").WithName("Topic");
            web.MapSse("/topic/{room}/of/{id:int?}", context => $"notes/{context.GetRouteValue("id")}").Produces<Note>().ProducesProblem(404);
            web.MapGroup("/{tenant}").MapSse("/topic", "notes");
            web.MapSse("/source", _ => Events.Of("a")).WithTags("Sources").WithSummary("All of it.");
        },
        services =>
        {
            services.AddSse();
            services.AddOpenApi();
            services.AddEndpointsApiExplorer();
            services.AddSwaggerGen(swagger => swagger.SwaggerDoc("v1", new OpenApiInfo { Title = "Streams", Version = "v1" }));
            services.AddControllers().ConfigureApplicationPartManager(manager =>
            {
                manager.ApplicationParts.Clear();
                manager.ApplicationParts.Add(new Only(typeof(DescribedApi), typeof(DescribedController)));
            });
        });

    /// <summary>The paths and schemas, each property by name; the rest is the generator's own business.</summary>
    private static void Compare(string json, string name)
    {
        var document = JsonNode.Parse(json)!;
        var actual = new JsonObject
        {
            ["paths"] = document["paths"]!.DeepClone(),
            ["schemas"] = document["components"]?["schemas"]?.DeepClone(),
        }.ToJsonString(Indented) + "\n";
        var file = Path.Combine(Sources.Root, "tests", "SseKit.Tests", "Describing", name);
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            File.WriteAllText(file, actual);
        }

        Assert.Equal(File.ReadAllText(file).ReplaceLineEndings("\n"), actual);
    }

    private sealed class Only(params Type[] types) : ApplicationPart, IApplicationPartTypeProvider
    {
        public override string Name => "Only";

        public IEnumerable<TypeInfo> Types => types.Select(type => type.GetTypeInfo());
    }
}
