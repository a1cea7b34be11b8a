using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SseKit.Streaming;

namespace SseKit.Tests.Streaming;

public class KeepAliveTests
{
    private static readonly TimeSpan Instant = TimeSpan.FromMilliseconds(1);

    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Silence_is_broken_by_a_comment_after_fifteen_seconds_and_not_before(string http)
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)), http, time: _time);
        using var stream = await app.OpenAsync("/");
        await source.IsWaitedForAsync();

        // The event shows that nothing came before it; and it begins a new silence.
        _time.Advance(TimeSpan.FromSeconds(15) - Instant);
        await ShowWhatIsWrongAsync(app);
        source.Emit("a");
        await stream.ExpectAsync("data: a\n\n");
        await source.IsWaitedForAsync(times: 2);

        await ExpectAfterAsync(TimeSpan.FromSeconds(15), app, stream);
    }

    [Fact]
    public async Task In_a_long_silence_the_comments_come_steadily()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)), time: _time);
        using var stream = await app.OpenAsync("/");
        await source.IsWaitedForAsync();

        for (var time = 0; time < 50; time++)
        {
            await ExpectAfterAsync(TimeSpan.FromSeconds(15), app, stream);
        }

        // One each: what is left is only the event.
        await ShowWhatIsWrongAsync(app);
        source.Emit("a");
        await stream.ExpectAsync("data: a\n\n");
    }

    [Fact]
    public async Task While_events_flow_there_are_no_comments()
    {
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(source)), time: _time);
        using var stream = await app.OpenAsync("/");
        await source.IsWaitedForAsync();

        for (var number = 0; number < 20; number++)
        {
            _time.Advance(TimeSpan.FromSeconds(14));
            await ShowWhatIsWrongAsync(app);
            source.Emit($"{number}");
            await stream.ExpectAsync($"data: {number}\n\n");
            await source.IsWaitedForAsync(times: number + 2);
        }
    }

    [Fact]
    public async Task A_result_beats_its_endpoint_and_an_endpoint_its_app()
    {
        var sources = Enumerable.Range(0, 4).Select(_ => new HandSource()).ToArray();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapGet("/0", () => new EventSourceResult(sources[0]));
                web.MapSse("/1", _ => sources[1], o => o.KeepAliveInterval = TimeSpan.FromSeconds(20));
                web.MapGet("/2", () => new EventSourceResult(sources[2], o => o.KeepAliveInterval = TimeSpan.FromSeconds(30)))
                    .WithMetadata(new SseStreamOptions { KeepAliveInterval = TimeSpan.FromSeconds(20) });
                web.MapGet("/3", () => new EventSourceResult(sources[3], o => o.SendStartPosition = false))
                    .WithMetadata(new SseStreamOptions { KeepAliveInterval = TimeSpan.FromSeconds(40) });
            },
            services: services => services.AddSse(o => o.KeepAliveInterval = TimeSpan.FromSeconds(10)),
            time: _time);
        TimeSpan[] intervals = [TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(40)];
        for (var i = 0; i < sources.Length; i++)
        {
            using var stream = await app.OpenAsync($"/{i}");
            await sources[i].IsWaitedForAsync();

            _time.Advance(intervals[i] - Instant);
            await ShowWhatIsWrongAsync(app);
            sources[i].Emit("a");
            await stream.ExpectAsync("data: a\n\n");
            await sources[i].IsWaitedForAsync(times: 2);

            await ExpectAfterAsync(intervals[i], app, stream);
            sources[i].End();
            await stream.ReadToEndAsync();
        }
    }

    [Theory]
    [InlineData("app")]
    [InlineData("endpoint")]
    [InlineData("result")]
    public async Task Keep_alives_can_be_turned_off(string where)
    {
        var source = new HandSource();
        var off = (SseStreamOptions o) => { o.KeepAliveInterval = Timeout.InfiniteTimeSpan; };
        await using var app = await TestApp.StartAsync(
            web =>
            {
                if (where == "endpoint")
                {
                    web.MapSse("/", _ => source, off);
                }
                else
                {
                    web.MapGet("/", () => new EventSourceResult(source, where == "result" ? off : null));
                }
            },
            services: services => services.AddSse(o => o.KeepAliveInterval = where == "app" ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(1)),
            time: _time);
        using var stream = await app.OpenAsync("/");
        await source.IsWaitedForAsync();

        _time.Advance(TimeSpan.FromDays(2));
        Assert.Empty(app.WheelsOfKeepAlives());
        source.Emit("a");
        await stream.ExpectAsync("data: a\n\n");
    }

    [Fact]
    public async Task A_comment_never_stands_inside_an_event()
    {
        // Larger than what the server buffers, so that its flush waits for the client while many intervals pass.
        var large = new string('a', 4 * 1024 * 1024);
        var source = new HandSource();
        await using var app = await TestApp.StartAsync(
            web => web.MapGet("/", () => new EventSourceResult(source)),
            services: services => services.Configure<SseOptions>(options => options.WriteTimeout = Timeout.InfiniteTimeSpan),
            time: _time);
        using var client = await RawClient.ConnectAsync(app.Port, receiveBuffer: 8 * 1024);
        await client.GetAsync("/");
        await client.ReadToAsync("\r\n\r\n");
        await source.IsWaitedForAsync();

        source.Emit(large);
        source.Emit("b");
        for (var time = 0; time < 20; time++)
        {
            _time.Advance(TimeSpan.FromSeconds(15));
            await Task.Yield();
        }

        source.End();
        var body = Chunks.Join(await client.ReadToAsync("\r\n0\r\n\r\n"));
        Assert.Equal($"data: {large}\n\ndata: b\n\n", Regex.Replace(body, "^(:\n)+|(?<=\n\n)(:\n)+", ""));
    }

    [Fact]
    public async Task Three_hundred_streams_share_the_host_s_two_timers_and_leave_none()
    {
        var time = new CountingTime(_time);
        await using var app = await TestApp.StartAsync(
            web => web.MapGet("/", () => new EventSourceResult(Events.Silence())),
            services: services => services.AddSingleton<TimeProvider>(time));
        var streams = await Task.WhenAll(Enumerable.Range(0, 300).Select(_ => app.OpenAsync("/")));

        // One for the keep-alives, and one that looks for who is overdue.
        Assert.Equal((2, 2), (time.Created, time.Active));

        foreach (var stream in streams)
        {
            stream.Dispose();
        }

        await Waiting.Until(() => app.WheelsOfKeepAlives().Count == 0 && app.Streams.Streams.Count == 0);
        Assert.Equal((2, 0), (time.Created, time.Active));
    }

    /// <summary>Gives a comment that should not be the time to be written.</summary>
    private static async Task ShowWhatIsWrongAsync(TestApp app)
    {
        for (var time = 0; time < 2; time++)
        {
            using var other = await app.OpenAsync("/other");
            await other.ReadToEndAsync();
        }
    }

    /// <summary>Lets time pass and expects a comment at that very moment.</summary>
    private async Task ExpectAfterAsync(TimeSpan interval, TestApp app, ClientStream stream)
    {
        _time.Advance(interval);
        Assert.Equal(":\n", await stream.ReadToAsync("\n"));

        // The client may have the bytes before the server has noted when it wrote them, and time must not pass in between.
        await Waiting.Until(() => app.WheelsOfKeepAlives().SelectMany(wheel => wheel.Members()).All(member => member.LastWrite == _time.GetTimestamp()));
    }
}

/// <summary>Looks into the keep-alive clock.</summary>
internal static class KeepAliveInside
{
    public static IReadOnlyCollection<KeepAliveWheel> WheelsOfKeepAlives(this TestApp app) => app.Streams.KeepAlive.Wheels();

    public static IReadOnlyCollection<KeepAliveWheel> Wheels(this KeepAliveClock clock)
    {
        lock (GateOf(clock))
        {
            return [.. WheelsOf(clock).Values];
        }
    }

    public static IReadOnlyCollection<KeepAliveMember> Members(this KeepAliveWheel wheel)
    {
        lock (GateOf(wheel))
        {
            return [.. SlotsOf(wheel).SelectMany(ChainOf)];
        }
    }

    private static IEnumerable<KeepAliveMember> ChainOf(KeepAliveMember? first)
    {
        for (var member = first; member is not null; member = member.Next)
        {
            yield return member;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_gate")]
    private static extern ref readonly Lock GateOf(KeepAliveClock clock);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_wheels")]
    private static extern ref readonly Dictionary<TimeSpan, KeepAliveWheel> WheelsOf(KeepAliveClock clock);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_gate")]
    private static extern ref readonly Lock GateOf(KeepAliveWheel wheel);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_slots")]
    private static extern ref readonly KeepAliveMember?[] SlotsOf(KeepAliveWheel wheel);
}

/// <summary>A clock that counts its timers.</summary>
internal sealed class CountingTime(TimeProvider time) : TimeProvider
{
    private int _created;
    private int _disposed;

    public int Created => Volatile.Read(ref _created);

    public int Active => Created - Volatile.Read(ref _disposed);

    public override long TimestampFrequency => time.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => time.GetUtcNow();

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Interlocked.Increment(ref _created);
        return new Timer(this, time.CreateTimer(callback, state, dueTime, period));
    }

    private sealed class Timer(CountingTime owner, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(dueTime, period);

        public void Dispose()
        {
            Interlocked.Increment(ref owner._disposed);
            timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
