using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>What a user types, and what is said when it can't work.</summary>
public sealed class RegistrationTests(SharedRedis redis) : IClassFixture<SharedRedis>
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<Action<SseRedisOptions>, string[]> Mistakes => new()
    {
        { o => o.Configuration = null, ["SseRedisOptions.Configuration is null", "SseRedisOptions.Connect", "set one of them"] },
        { o => o.Connect = _ => null!, ["are both set"] },
        { o => o.Configuration = new ConfigurationOptions(), ["names no server", "localhost:6379"] },
        { o => o.KeyPrefix = null!, ["SseRedisOptions.KeyPrefix is null", "at most 200"] },
        { o => o.KeyPrefix = new string('x', 201), ["SseRedisOptions.KeyPrefix is 201 characters long"] },
        { o => o.Database = -1, ["SseRedisOptions.Database is -1", "zero or more"] },
        { o => o.MaxEvents = 0, ["SseRedisOptions.MaxEvents is 0", "between 1 and 10000000"] },
        { o => o.MaxEvents = 10_000_001, ["SseRedisOptions.MaxEvents is 10000001"] },
        { o => o.TopicExpiry = TimeSpan.FromSeconds(59), ["SseRedisOptions.TopicExpiry is 00:00:59", "00:01:00"] },
        { o => o.TopicExpiry = TimeSpan.FromDays(3651), ["SseRedisOptions.TopicExpiry is 3651.00:00:00", "3650 days"] },
    };

    [Theory]
    [MemberData(nameof(Mistakes), DisableDiscoveryEnumeration = true)]
    public async Task A_setting_that_cannot_work_is_refused_when_the_app_starts_with_its_name_and_the_cure(Action<SseRedisOptions> mistake, string[] said)
    {
        using var host = Host(o =>
        {
            o.Configuration = ConfigurationOptions.Parse("localhost");
            mistake(o);
        });

        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Stop));
        Assert.All(said, part => Assert.Contains(part, refused.Message));
    }

    [Fact]
    public async Task One_line_keeps_topics_in_redis_whatever_was_registered_before()
    {
        var prefix = $"{Guid.NewGuid():N}:";
        var services = new ServiceCollection().AddLogging();
        services.AddSse().AddStackExchangeRedis(redis.Server.Address);
        services.Configure<SseRedisOptions>(o => o.KeyPrefix = prefix);
        await using var provider = services.BuildServiceProvider();

        await provider.GetRequiredService<ISseTopics>().PublishAsync("orders", "1", Stop);
        Assert.Equal(1, (long)await redis.Server.ExecuteAsync("EXISTS", prefix + "orders"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("localhost,nonsense=1")]
    public void A_connection_string_that_cannot_be_read_is_refused_where_it_is_written(string configuration) =>
        Assert.ThrowsAny<ArgumentException>(() => new ServiceCollection().AddSse().AddStackExchangeRedis(configuration));

    [Fact]
    public async Task The_health_check_is_healthy_when_all_is_well_and_leaves_nothing_behind()
    {
        var prefix = $"{Guid.NewGuid():N}:";
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync(o =>
        {
            o.Configuration = ConfigurationOptions.Parse(redis.Server.Address);
            o.KeyPrefix = prefix;
        })).Status);
        Assert.Empty((RedisResult[])(await redis.Server.ExecuteAsync("KEYS", prefix + "*"))!);
    }

    [Fact]
    public async Task The_health_check_names_a_redis_that_is_not_there() =>
        await UnhealthyAsync("127.0.0.1:1", "can't be reached", _ => { });

    [Fact]
    public async Task The_health_check_names_a_wrong_password()
    {
        await using var locked = await RedisServer.StartAsync("--requirepass", "right");
        await UnhealthyAsync($"{locked.Address},password=wrong", "refuses the user or the password", _ => { });
        await UnhealthyAsync(locked.Address, "refuses the user or the password", _ => { });
    }

    [Fact]
    public async Task The_health_check_names_a_database_that_redis_does_not_have() =>
        await UnhealthyAsync(redis.Server.Address, "has no database 99", o => o.Database = 99);

    [Fact]
    public async Task The_health_check_names_a_redis_without_streams()
    {
        await using var old = await RedisServer.StartAsync("--rename-command", "XREVRANGE", "", "--rename-command", "XLEN", "");
        await UnhealthyAsync(old.Address, "Redis 6.2 or later", _ => { });
    }

    [Fact]
    public async Task The_health_check_names_a_permission_that_is_missing()
    {
        await redis.Server.ExecuteAsync("ACL", "SETUSER", "reader", "on", ">word", "~*", "&*", "+@all", "-eval");
        await UnhealthyAsync($"{redis.Server.Address},user=reader,password=word", "may not do what topics need", _ => { });
    }

    [Fact]
    public async Task A_health_check_without_topics_in_redis_says_what_is_missing()
    {
        var services = new ServiceCollection().AddLogging();
        services.AddHealthChecks().AddSseRedis();
        await using var provider = services.BuildServiceProvider();

        var missing = await Assert.ThrowsAsync<InvalidOperationException>(() => provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(Stop));
        Assert.Contains("AddSse().AddStackExchangeRedis", missing.Message);
    }

    [Fact]
    public async Task The_app_starts_without_redis_and_says_so_by_name()
    {
        var logged = new LogList();
        using var host = Host(o => o.Configuration = ConfigurationOptions.Parse("127.0.0.1:1,connectTimeout=500"), logged);
        await host.StartAsync(Stop).WaitAsync(Guard, Stop);

        using var guard = new CancellationTokenSource(Guard);
        while (!logged.Entries.Any(entry => entry.Id.Id == 102))
        {
            await Task.Delay(10, guard.Token);
        }

        var error = logged.Entries.First(entry => entry.Id.Id == 102);
        Assert.Equal(LogLevel.Error, error.Level);
        Assert.Contains("can't be reached", error.Text);
        await host.StopAsync(Stop).WaitAsync(Guard, Stop);
    }

    private static IHost Host(Action<SseRedisOptions> configure, LogList? logged = null)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        if (logged is not null)
        {
            builder.Logging.AddProvider(new ListProvider(logged));
        }

        builder.Services.AddSse().AddStackExchangeRedis(configure);
        return builder.Build();
    }

    private static async Task UnhealthyAsync(string address, string said, Action<SseRedisOptions> configure)
    {
        var report = await HealthAsync(o =>
        {
            o.Configuration = ConfigurationOptions.Parse($"{address},connectTimeout=1000");
            configure(o);
        });
        Assert.Equal(HealthStatus.Degraded, report.Status);
        Assert.Contains(said, report.Description);
    }

    private static async Task<HealthReportEntry> HealthAsync(Action<SseRedisOptions> configure)
    {
        var services = new ServiceCollection().AddLogging();
        services.AddSse().AddStackExchangeRedis(configure);
        services.AddHealthChecks().AddSseRedis(failureStatus: HealthStatus.Degraded);
        await using var provider = services.BuildServiceProvider();
        return (await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(Stop)).Entries["sse-redis"];
    }

    private sealed class ListProvider(LogList list) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => list;

        public void Dispose()
        {
        }
    }
}
