using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.Extensions.DependencyInjection;
using SseKit.Testing;

namespace SseKit.Tests.Streaming;

/// <summary>Choices that an endpoint has as metadata, wherever the endpoint comes from.</summary>
public class EndpointChoiceTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/minimal")]
    [InlineData("/mapped")]
    [InlineData("/group/minimal")]
    [InlineData("/controller")]
    [InlineData("/filtered")]
    public async Task The_choices_of_an_endpoint_hold_for_its_streams(string path)
    {
        await using var app = await StartAsync(new SseStreamOptions { GapEventType = "missed", Start = SseStart.Earliest });
        await app.Web.Services.GetRequiredService<ISseTopics>().PublishAsync("orders", "a", Stop);

        await using var first = await app.Client.OpenSseAsync(path, cancellationToken: Stop);
        await using var back = await app.Client.OpenSseAsync(path, o => o.LastEventId = "nonsense!", Stop);

        Assert.Equal("a", (await first.NextEventAsync(Stop)).Data);
        Assert.Equal("missed", (await back.NextEventAsync(Stop)).EventType);
    }

    [Theory]
    [InlineData("/minimal")]
    [InlineData("/mapped")]
    [InlineData("/controller")]
    public async Task Wrong_choices_of_an_endpoint_are_told_by_name_each_time_it_is_asked(string path)
    {
        await using var app = await StartAsync(new SseStreamOptions { GapEventType = "open", KeepAliveInterval = TimeSpan.Zero });
        for (var time = 0; time < 2; time++)
        {
            // TestServer hands on what the app throws; a real server answers 500.
            var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => app.Client.OpenSseAsync(path, cancellationToken: Stop));
            Assert.Contains("KeepAliveInterval is 00:00:00; it must be between", failure.Message, StringComparison.Ordinal);
            Assert.Contains("GapEventType is 'open'", failure.Message, StringComparison.Ordinal);
        }
    }

    private static Task<TestApp> StartAsync(SseStreamOptions choices) => TestApp.StartInMemoryAsync(
        web =>
        {
            web.MapGet("/minimal", () => EventSourceResult.FromTopic("orders")).WithMetadata(choices);
            web.MapSse("/mapped", "orders").WithMetadata(choices);
            web.MapGroup("/group").WithMetadata(choices).MapGet("/minimal", () => EventSourceResult.FromTopic("orders"));
            web.MapGet("/filtered", () => EventSourceResult.FromTopic("orders")).WithMetadata(choices).AddEndpointFilter((context, next) => next(context));
            web.MapControllers().WithMetadata(choices);
        },
        services =>
        {
            services.AddSse();
            services.AddControllers().ConfigureApplicationPartManager(manager =>
            {
                manager.ApplicationParts.Clear();
                manager.ApplicationParts.Add(new Only(typeof(ChosenController)));
            });
        });

    private sealed class Only(Type type) : ApplicationPart, IApplicationPartTypeProvider
    {
        public override string Name => "Only";

        public IEnumerable<TypeInfo> Types => [type.GetTypeInfo()];
    }
}

[ApiController]
[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "An action is an instance method.")]
public sealed class ChosenController : ControllerBase
{
    [HttpGet("/controller")]
    public EventSourceResult Live() => EventSourceResult.FromTopic("orders");
}
