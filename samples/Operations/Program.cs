// What an operator sees. Metrics and spans go by OTLP to http://localhost:4317, or to where OTEL_EXPORTER_OTLP_ENDPOINT says; Prometheus takes
// OTLP as well as any collector does. grafana.json beside this file is a dashboard over them, to be imported into Grafana. Settings come from
// the configuration: Sse__ReconnectDelay=00:00:20 in the environment, say.
using OpenTelemetry;
using SseKit;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSse(builder.Configuration.GetSection("Sse").Bind);
builder.Services.AddOpenTelemetry()
    .WithMetrics(metrics => metrics.AddMeter("SseKit", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel"))
    .WithTracing(traces => traces.AddSource("SseKit", "Microsoft.AspNetCore"))
    .UseOtlpExporter();

var app = builder.Build();

app.MapSse("/orders/live", "orders");
app.MapPost("/orders", async (Order order, ISseTopics topics) => await topics.PublishAsync("orders", SseEvent.Json(order)));

app.Run();

internal sealed record Order(int Id, string What);
