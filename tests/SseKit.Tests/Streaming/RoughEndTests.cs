using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using SseKit.Streaming;

namespace SseKit.Tests.Streaming;

/// <summary>Ends that are rare: a response that can't begin, a stop that finds the app's code busy, times without end.</summary>
public sealed class RoughEndTests
{
    [Fact]
    public async Task A_source_is_never_disposed_of_in_mid_step_also_when_the_response_can_not_begin()
    {
        var source = new HandSource(obeysToken: false);
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", async context =>
        {
            await context.Response.WriteAsync("the app has begun a response of its own");
            await new EventSourceResult(source).ExecuteAsync(context);
        }));

        var asked = app.Client.GetAsync("/", TestContext.Current.CancellationToken);
        await source.Cancelled.Soon();
        source.End();
        await source.Disposed.Soon();

        Assert.False(source.DisposedInStep);
        await Assert.ThrowsAsync<HttpRequestException>(() => asked.Soon());
    }

    [Fact]
    public void A_ticket_or_an_age_without_end_ends_no_stream()
    {
        var options = new SseOptions { MaxConnectionAge = TimeSpan.MaxValue };
        var host = new StreamHost(options, new(), TimeProvider.System, NullLogger.Instance, CancellationToken.None);
        var ticket = new AuthenticationTicket(new(), new AuthenticationProperties { ExpiresUtc = DateTimeOffset.MaxValue }, "test");
        var context = new DefaultHttpContext();
        context.Features.Set<IAuthenticateResultFeature>(new Authenticated { AuthenticateResult = AuthenticateResult.Success(ticket) });

        var now = TimeProvider.System.GetTimestamp();

        Assert.True(StreamAge.ExpiresAt(context, host, now) > now);
    }

    private sealed class Authenticated : IAuthenticateResultFeature
    {
        public AuthenticateResult? AuthenticateResult { get; set; }
    }
}
