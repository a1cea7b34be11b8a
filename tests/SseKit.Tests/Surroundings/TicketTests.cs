using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Http.Json;
using System.Security.Claims;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Surroundings;

/// <summary>The framework's own cookies, in front of streams.</summary>
public class TicketTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);

    [Fact]
    public async Task A_stream_ends_with_the_cookie_that_it_was_opened_with_and_one_that_was_renewed_meanwhile_opens_it_again()
    {
        await using var app = await StartAsync();
        using var login = await app.OpenAsync("/login");
        var first = login.Response.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        using var stream = await app.OpenAsync("/topic");
        Assert.Equal(HttpStatusCode.OK, stream.Status);

        // Past half of its ten minutes the cookie is renewed by any other request.
        _time.Advance(TimeSpan.FromMinutes(6));
        using var page = await app.OpenAsync("/page");
        Assert.True(page.Response.Headers.Contains("Set-Cookie"));
        Assert.Equal(1, app.Streams.Streams.Count);

        _time.Advance(TimeSpan.FromMinutes(4) + TimeSpan.FromSeconds(1));
        await stream.ReadToEndAsync();

        using var again = await app.OpenAsync("/topic");
        Assert.Equal(HttpStatusCode.OK, again.Status);
        using var late = await RawClient.ConnectAsync(app.Port);
        await late.GetAsync("/topic", $"Cookie: {first}\r\n");
        Assert.StartsWith("HTTP/1.1 401", await late.ReadToAsync("\r\n\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_ends_with_the_ticket_of_the_scheme_that_its_endpoint_asked_for()
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.UseAuthentication();
                web.UseAuthorization();
                web.MapPost("/ticket", () => Results.SignIn(Somebody(), authenticationScheme: "ticket"));
                web.MapSse("/topic", "orders").RequireAuthorization(policy => policy.AddAuthenticationSchemes("ticket").RequireAuthenticatedUser());
            },
            services: services =>
            {
                services.AddSse();
                services.AddAuthorization();
                services.AddAuthentication().AddBearerToken("ticket", bearer =>
                {
                    bearer.BearerTokenExpiration = TimeSpan.FromMinutes(10);
                    bearer.Events.OnMessageReceived = context =>
                    {
                        context.Token = context.Request.Query["ticket"];
                        return Task.CompletedTask;
                    };
                });
            },
            time: _time);
        using var answer = await app.Client.PostAsync(new Uri("/ticket", UriKind.Relative), content: null, TestContext.Current.CancellationToken);
        var ticket = (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("accessToken").GetString()!;
        var path = $"/topic?ticket={Uri.EscapeDataString(ticket)}";
        using var stream = await app.OpenAsync(path);
        Assert.Equal(HttpStatusCode.OK, stream.Status);

        _time.Advance(TimeSpan.FromMinutes(9));
        Assert.Equal(1, app.Streams.Streams.Count);
        _time.Advance(TimeSpan.FromMinutes(1) + TimeSpan.FromSeconds(1));

        await stream.ReadToEndAsync();
        using var late = await app.OpenAsync(path);
        Assert.Equal(HttpStatusCode.Unauthorized, late.Status);
    }

    [Theory]
    [InlineData("/topic")]
    [InlineData("/source")]
    [InlineData("/result")]
    [InlineData("/values")]
    [InlineData("/action")]
    public async Task A_stranger_is_told_401_and_not_sent_to_a_page_to_log_in_at(string path)
    {
        await using var app = await StartAsync();

        using var stream = await app.OpenAsync(path);

        Assert.Equal(HttpStatusCode.Unauthorized, stream.Status);
    }

    private static ClaimsPrincipal Somebody() => new(new ClaimsIdentity([new Claim("name", "somebody")], "login"));

    private Task<TestApp> StartAsync() => TestApp.StartAsync(
        web =>
        {
            web.UseAuthentication();
            web.UseAuthorization();
            web.MapGet("/login", context => context.SignInAsync(Somebody()));
            web.MapGet("/page", () => "page").RequireAuthorization();
            web.MapSse("/topic", "orders").RequireAuthorization();
            web.MapSse("/source", _ => Events.Of("a")).RequireAuthorization();
            web.MapGet("/result", () => new EventSourceResult(Events.Of("a"))).RequireAuthorization();
            web.MapGet("/values", () => EventSourceResult.From(Events.Values([1]))).RequireAuthorization();
            web.MapControllers();
        },
        services: services =>
        {
            services.AddSse();
            services.AddAuthorization();
            services.AddControllers().AddApplicationPart(typeof(TicketTests).Assembly);
            services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie(cookie => cookie.ExpireTimeSpan = TimeSpan.FromMinutes(10));
        },
        time: _time);
}

[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Actions are instance methods.")]
[Authorize]
public class GuardedController : Controller
{
    [HttpGet("/action")]
    public EventSourceResult Get() => new(Events.Of("a"));
}
