using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SseKit.Streaming;

namespace SseKit.Tests.Streaming;

/// <summary>How streams end that neither their source nor their client ends: the app stops, a limit, their age, a stalled client, a logout.</summary>
public sealed partial class EndingTests
{
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task When_the_app_stops_every_stream_is_told_a_time_of_its_own_and_ends_cleanly(string http)
    {
        await using var app = await TestApp.StartAsync(MapSilence, http, Options(options =>
        {
            options.ReconnectDelay = TimeSpan.FromSeconds(20);
            options.ReconnectSpread = TimeSpan.FromSeconds(1000);
            options.DrainEvent = new SseEvent("see you") { EventType = "drain" };
        }));
        var streams = await Task.WhenAll(Enumerable.Range(0, 80).Select(_ => app.OpenAsync("/")));

        var stop = app.Web.StopAsync(TestContext.Current.CancellationToken);
        var ends = await Task.WhenAll(streams.Select(stream => stream.ReadToEndAsync()));
        await stop.Soon();

        var retries = ends.Select(end => Farewell().Match(end)).ToList();
        Assert.All(retries, match => Assert.True(match.Success));
        var times = retries.Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).ToList();
        Assert.All(times, time => Assert.InRange(time, 20_000, 1_020_000));
        Assert.True(times.Distinct().Count() > 72, "Of 80 clients, fewer than nine in ten were told a time of their own.");
        Assert.Empty(app.Log.Troubles);
    }

    [Fact]
    public async Task The_ends_are_spread_over_the_drain_window_with_the_newest_last()
    {
        await using var app = await TestApp.StartAsync(MapSilence, services: Options(options => options.DrainWindow = TimeSpan.FromSeconds(10)), time: _time);
        var streams = new List<ClientStream>();
        for (var i = 0; i < 4; i++)
        {
            streams.Add(await app.OpenAsync("/"));
        }

        var stop = app.Web.StopAsync(TestContext.Current.CancellationToken);
        foreach (var (stream, left) in streams.Zip([3, 2, 1, 0]))
        {
            _time.Advance(TimeSpan.FromSeconds(2.5));
            await stream.ReadToEndAsync();
            await Waiting.Until(() => app.Streams.Streams.Count == left);
        }

        await stop.Soon();
    }

    [Fact]
    public async Task Where_a_drain_delay_is_set_every_stream_opens_with_the_usual_one()
    {
        await using var app = await TestApp.StartAsync(MapSilence, services: Options(options => options.ReconnectDelay = TimeSpan.FromMinutes(1)));

        using var stream = await app.OpenAsync("/");

        Assert.Equal("retry: 3000\n", await stream.ReadToAsync("\n"));
    }

    [Fact]
    public async Task One_stream_too_many_is_sent_away_with_200_and_let_in_when_there_is_room()
    {
        await using var app = await TestApp.StartAsync(MapSilence, services: Options(options => options.MaxConnections = 2));
        using var first = await app.OpenAsync("/");
        using var second = await app.OpenAsync("/");

        using (var third = await app.OpenAsync("/"))
        {
            Assert.Equal(System.Net.HttpStatusCode.OK, third.Status);
            var away = Regex.Match(await third.ReadToEndAsync(), @"\Aretry: (\d+)\n\z");
            Assert.InRange(int.Parse(away.Groups[1].Value, CultureInfo.InvariantCulture), 3000, 6000);
        }

        first.Dispose();
        await Waiting.Until(() => app.Streams.Streams.Count == 1);
        using var fourth = await app.OpenAsync("/");
        await Waiting.Until(() => app.Streams.Streams.Count == 2);
    }

    [Fact]
    public async Task A_limit_per_key_counts_only_the_streams_of_that_key()
    {
        await using var app = await TestApp.StartAsync(MapSilence, services: Options(options =>
        {
            options.ConnectionKey = context => context.Request.Query["user"];
            options.MaxConnectionsPerKey = 1;
        }));
        using var ann = await app.OpenAsync("/?user=ann");
        using var bob = await app.OpenAsync("/?user=bob");
        using var nobody = await app.OpenAsync("/");
        using var nobodyElse = await app.OpenAsync("/");

        using var annAgain = await app.OpenAsync("/?user=ann");

        Assert.StartsWith("retry: ", await annAgain.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(4, app.Streams.Streams.Count);
    }

    [Fact]
    public async Task A_stream_ends_when_it_has_reached_its_age_at_most_a_tenth_early()
    {
        await using var app = await TestApp.StartAsync(
            MapSilence, services: Options(options => options.MaxConnectionAge = TimeSpan.FromSeconds(100)), time: _time);
        var streams = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => app.OpenAsync("/")));

        _time.Advance(TimeSpan.FromSeconds(89));
        Assert.Equal(50, app.Streams.Streams.Count);

        _time.Advance(TimeSpan.FromSeconds(6));
        await Waiting.Until(() => app.Streams.Streams.Count is > 0 and < 50, "some streams have ended and some have not");

        _time.Advance(TimeSpan.FromSeconds(6));
        await Task.WhenAll(streams.Select(stream => stream.ReadToEndAsync()));
    }

    [Fact]
    public async Task A_stream_ends_when_the_ticket_of_its_user_expires()
    {
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.Use((context, next) =>
                {
                    var properties = new AuthenticationProperties { ExpiresUtc = _time.GetUtcNow().AddMinutes(1) };
                    var ticket = new AuthenticationTicket(context.User, properties, "test");
                    context.Features.Set<IAuthenticateResultFeature>(new Authenticated(AuthenticateResult.Success(ticket)));
                    return next(context);
                });
                MapSilence(web);
            },
            time: _time);
        using var stream = await app.OpenAsync("/");

        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(1, app.Streams.Streams.Count);
        _time.Advance(TimeSpan.FromSeconds(2));

        await stream.ReadToEndAsync();
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_cut_off_after_the_write_timeout_and_costs_nobody_else_anything()
    {
        var source = new HandSource();
        var flood = Enumerable.Repeat(new SseEvent(new string('x', 1024 * 1024)), 16);
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapGet("/flood", () => new EventSourceResult(flood.ToAsyncEnumerable()));
                web.MapGet("/", () => new EventSourceResult(source));
            },
            services: services =>
            {
                // The kernel cuts off by TCP_USER_TIMEOUT, in real time, and is not to help here.
                services.Configure<SseOptions>(options => options.WriteTimeout = TimeSpan.FromMinutes(2));
            },
            time: _time);
        using var reader = await app.OpenAsync("/");
        using var stalled = await RawClient.ConnectAsync(app.Port, receiveBuffer: 4096);
        await stalled.GetAsync("/flood");
        await Waiting.Until(() => app.Streams.Streams.Count == 2);
        await stalled.ReadToAsync("\r\n\r\n");

        // The timeout counts from a flush that waits; that it waits can't be seen from here, so time passes until it did.
        await Waiting.Until(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return app.Streams.Streams.Count == 1;
        });

        source.Emit("still here");
        Assert.EndsWith("data: still here\n\n", await reader.ReadToAsync("here\n\n"), StringComparison.Ordinal);
        Assert.Empty(app.Log.Troubles);
    }

    // Ten thousand idle streams would be looked at every second.
    [Fact]
    public void Open_streams_are_looked_at_only_when_one_may_be_overdue()
    {
        var registry = new StreamRegistry(new SseOptions(), _time, CancellationToken.None);
        var stream = new Watched { Expires = _time.GetTimestamp() + (10 * _time.TimestampFrequency) };
        registry.TryEnter(new Watched());
        registry.TryEnter(stream);
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal((0, 0), (stream.Looks, stream.Checks));

        registry.WaitBegins();
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((1, 0), (stream.Looks, stream.Checks));

        registry.WaitEnds();
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal((1, 0), (stream.Looks, stream.Checks));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((1, 1), (stream.Looks, stream.Checks));
    }

    [Fact]
    public async Task The_error_hook_may_send_a_last_event()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web => web.MapGet("/", () => new EventSourceResult(source)),
            services: Options(options => options.OnError = (_, exception) => new SseEvent(exception.Message) { EventType = "failed" }));
        using var stream = await app.OpenAsync("/");

        source.Emit("a");
        source.Fail(new InvalidOperationException("out of paper"));

        Assert.Equal("data: a\n\nevent: failed\ndata: out of paper\n\n", await stream.ReadToEndAsync());
        Assert.Single(app.Log.Troubles);
    }

    [Fact]
    public async Task An_error_hook_of_a_result_comes_before_the_app_s_and_one_that_fails_is_logged()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web => web.MapGet("/", () => new EventSourceResult(source, options => options.OnError = (_, _) => throw new InvalidOperationException("hook"))),
            services: Options(options => options.OnError = (_, _) => new SseEvent("the app's")));
        using var stream = await app.OpenAsync("/");

        source.Emit("a");
        source.Fail(new InvalidOperationException("source"));

        Assert.Equal("data: a\n\n", await stream.ReadToEndAsync());
        Assert.Equal(2, app.Log.Troubles.Count());
    }

    [Fact]
    public async Task The_streams_of_one_user_can_be_ended_with_a_word()
    {
        await using var app = await TestApp.StartAsync(MapSilence, services: services =>
        {
            services.AddSse(options => options.ConnectionKey = context => context.Request.Query["user"]);
        });
        using var ann = await app.OpenAsync("/?user=ann");
        using var annAgain = await app.OpenAsync("/?user=ann");
        using var bob = await app.OpenAsync("/?user=bob");
        var connections = app.Web.Services.GetRequiredService<ISseConnections>();
        Assert.Equal(3, connections.Count);

        Assert.Equal(2, connections.EndStreams("ann", new SseEvent("logged out") { EventType = "bye" }));

        Assert.Equal("event: bye\ndata: logged out\n\n", await ann.ReadToEndAsync());
        Assert.Equal("event: bye\ndata: logged out\n\n", await annAgain.ReadToEndAsync());
        await Waiting.Until(() => connections.Count == 1);
        Assert.Equal(0, connections.EndStreams("ann"));
    }

    [Theory]
    [InlineData(nameof(SseOptions.ReconnectDelay), "-00:00:01")]
    [InlineData(nameof(SseOptions.ReconnectDelay), "1.00:00:01")]
    [InlineData(nameof(SseOptions.ReconnectSpread), "-00:00:01")]
    [InlineData(nameof(SseOptions.ReconnectSpread), "1.00:00:01")]
    [InlineData(nameof(SseOptions.DrainWindow), "-00:00:01")]
    [InlineData(nameof(SseOptions.DrainWindow), "00:10:00")]
    [InlineData(nameof(SseOptions.MaxConnections), "0")]
    [InlineData(nameof(SseOptions.MaxConnections), "-1")]
    [InlineData(nameof(SseOptions.MaxConnectionsPerKey), "0")]
    [InlineData(nameof(SseOptions.MaxConnectionAge), "00:00:00.5000000")]
    [InlineData(nameof(SseOptions.MaxConnectionAge), "-00:00:01")]
    [InlineData(nameof(SseOptions.WriteTimeout), "00:00:00")]
    [InlineData(nameof(SseOptions.WriteTimeout), "00:00:00.9990000")]
    [InlineData(nameof(SseOptions.WriteTimeout), "01:00:01")]
    public async Task An_option_out_of_range_stops_the_start_with_its_name_and_its_value(string option, string value)
    {
        await using var web = TestApp.BuildOnly(services => services.AddSse(options =>
        {
            var property = typeof(SseOptions).GetProperty(option)!;
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            property.SetValue(options, type == typeof(TimeSpan) ? TimeSpan.Parse(value, CultureInfo.InvariantCulture) : int.Parse(value, CultureInfo.InvariantCulture));
        }));

        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => web.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains($"SseOptions.{option} is {value}", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_limit_per_key_without_a_key_stops_the_start_and_tells_the_cure()
    {
        await using var web = TestApp.BuildOnly(services => services.AddSse(options => options.MaxConnectionsPerKey = 3));

        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => web.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains("SseOptions.ConnectionKey is not set. Set it to a function", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_limits_of_what_ends_streams_are_fine_themselves()
    {
        await using var least = await TestApp.StartInMemoryAsync(_ => { }, services => services.AddSse(options =>
        {
            options.ReconnectDelay = options.ReconnectSpread = options.DrainWindow = TimeSpan.Zero;
            options.MaxConnections = options.MaxConnectionsPerKey = 1;
            options.ConnectionKey = _ => null;
            options.MaxConnectionAge = options.WriteTimeout = TimeSpan.FromSeconds(1);
        }));
        await using var most = await TestApp.StartInMemoryAsync(_ => { }, services => services.AddSse(options =>
        {
            options.ReconnectDelay = options.ReconnectSpread = TimeSpan.FromDays(1);
            options.DrainWindow = TimeSpan.FromMinutes(10) - TimeSpan.FromTicks(1);
            options.MaxConnections = options.MaxConnectionsPerKey = int.MaxValue;
            options.ConnectionKey = _ => null;
            options.MaxConnectionAge = TimeSpan.MaxValue;
            options.WriteTimeout = TimeSpan.FromHours(1);
        }));
        await using var none = await TestApp.StartInMemoryAsync(_ => { }, services => services.AddSse(options => options.WriteTimeout = Timeout.InfiniteTimeSpan));
    }

    [GeneratedRegex(@"retry: (\d+)\nevent: drain\ndata: see you\n\n\z")]
    private static partial Regex Farewell();

    private static void MapSilence(WebApplication web) => web.MapGet("/", () => new EventSourceResult(Events.Silence()));

    private static Action<IServiceCollection> Options(Action<SseOptions> configure) => services => services.Configure(configure);

    /// <summary>A stream that counts how often the registry looks whether it waits, and ends it.</summary>
    private sealed class Watched : IOpenStream
    {
        public string? Key => null;

        public IDrained? Earlier { get; set; }

        public IDrained? Later { get; set; }

        public long Expires { get; init; } = long.MaxValue;

        public int Looks { get; private set; }

        public int Checks { get; private set; }

        public bool IsStalled(long now)
        {
            Looks++;
            return false;
        }

        public void CheckTime(long now) => Checks++;

        public void End(StreamEnd why, SseEvent? last)
        {
        }
    }

    private sealed class Authenticated(AuthenticateResult result) : IAuthenticateResultFeature
    {
        public AuthenticateResult? AuthenticateResult { get; set; } = result;
    }
}
