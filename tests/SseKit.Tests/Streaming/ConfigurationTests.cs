using System.Globalization;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SseKit.Streaming;
using SseKit.Testing;

namespace SseKit.Tests.Streaming;

/// <summary>Settings from a file, and what is told of wrong ones.</summary>
public class ConfigurationTests
{
    private static readonly string[] InCode =
        [nameof(SseOptions.DrainEvent), nameof(SseOptions.ConnectionKey), nameof(SseOptions.OnError), nameof(SseOptions.JsonSerializerOptions)];

    private static readonly string[] WithoutUpperLimit =
        [nameof(SseOptions.MaxConnections), nameof(SseOptions.MaxConnectionsPerKey), nameof(SseOptions.MaxConnectionAge)];

    public static TheoryData<string> InFiles => [.. Settable.Select(option => option.Name).Except(InCode).Except([nameof(SseOptions.Retention)])];

    public static TheoryData<string> Measures => [.. Settable.Where(option => TypeOf(option) != typeof(bool) && TypeOf(option) != typeof(string)).Select(option => option.Name).Except(InCode).Except([nameof(SseOptions.Retention)])];

    private static IEnumerable<PropertyInfo> Settable => typeof(SseOptions).GetProperties();

    [Theory]
    [MemberData(nameof(InFiles))]
    public void Every_option_that_is_no_code_can_stand_in_a_file(string name)
    {
        var option = typeof(SseOptions).GetProperty(name)!;
        var (text, value) = TypeOf(option) switch
        {
            var type when type == typeof(TimeSpan) => ("00:00:07", (object)TimeSpan.FromSeconds(7)),
            var type when type == typeof(int) => ("7", 7),
            var type when type == typeof(long) => ("7", 7L),
            var type when type == typeof(string) => ("seven", "seven"),
            var type when type == typeof(bool) => ((!(bool)option.GetValue(new SseOptions())!).ToString(CultureInfo.InvariantCulture), !(bool)option.GetValue(new SseOptions())!),
            var type => throw new NotSupportedException($"No value of {type} is known here for {name}."),
        };
        var options = new SseOptions();

        var read = new SseConfiguration(Section((name, text)));
        read.Configure(options);

        Assert.Null(read.Validate(null, options).Failures);
        Assert.Equal(value, option.GetValue(options));
    }

    [Fact]
    public void Rules_of_retention_can_stand_in_a_file()
    {
        var options = new SseOptions();

        var read = new SseConfiguration(Section(
            ("Retention:0:Topic", "orders/*"), ("Retention:0:MaxEvents", "7"), ("Retention:0:MaxAge", "01:00:00"),
            ("Retention:1:Topic", "news"), ("Retention:1:MaxBytes", "2048"), ("Retention:1:MaxAge", "infinite")));
        read.Configure(options);

        Assert.Null(read.Validate(null, options).Failures);
        Assert.Equal(
            [("orders/*", 7, null, TimeSpan.FromHours(1)), ("news", null, 2048L, (TimeSpan?)Timeout.InfiniteTimeSpan)],
            options.Retention.Select(rule => (rule.Topic, rule.MaxEvents, rule.MaxBytes, rule.MaxAge)));
    }

    [Fact]
    public void A_wrong_rule_of_retention_in_a_file_is_told_with_its_place()
    {
        var failures = new SseConfiguration(Section(("Retention", "all"), ("Retention:0:Topics", "news"), ("Retention:1:MaxAge", "60")))
            .Validate(null, new SseOptions()).Failures!;

        Assert.Equal(
            [
                "Sse:Retention is 'all'; it must be a list of rules, each with a Topic.",
                "Sse:Retention:0:Topics is no setting of a rule. There are: Topic, MaxEvents, MaxBytes, MaxAge.",
                "Sse:Retention:1:MaxAge is '60'; it must be a time such as 00:00:15, which is 15 s, or 'infinite'.",
            ],
            failures);
    }

    [Fact]
    public async Task What_is_wrong_in_a_file_is_told_all_at_once_with_what_is_out_of_range()
    {
        var failure = await StartFailsAsync(
            Section(
                ("KeepAliveIntervall", "00:00:15"),
                ("WriteTimeout", "30"),
                ("MaxTopics", "many"),
                ("SendStartPosition", "maybe"),
                ("OnError", "log"),
                ("GapEventType:name", "gap"),
                ("MaxEventsPerTopic", "0")));

        string[] says =
        [
            "Sse:KeepAliveIntervall is no setting of SseKit. There are: Retention, KeepAliveInterval, ",
            "Sse:WriteTimeout is '30'; it must be a time such as 00:00:15, which is 15 s, or 'infinite'.",
            "Sse:MaxTopics is 'many'; it must be a whole number.",
            "Sse:SendStartPosition is 'maybe'; it must be true or false.",
            "Sse:OnError can't stand in configuration. Set it in code",
            "Sse:GapEventType is a section; it must be a value.",
            "SseOptions.MaxEventsPerTopic is 0; it must be between 1 and ",
        ];
        Assert.Equal(says.Length, failure.Failures.Count());
        Assert.All(says, text => Assert.Contains(text, failure.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_section_that_is_not_there_leaves_the_defaults_and_code_has_the_last_word()
    {
        await using var web = TestApp.BuildOnly(services =>
        {
            services.AddSse(new ConfigurationBuilder().Build().GetSection("Sse"));
            services.AddSse(Section(("KeepAliveInterval", "INFINITE"), ("MaxTopics", "7"), ("ReconnectDelay", null)));
            services.Configure<SseOptions>(o => o.MaxTopics = 8);
        });
        await web.StartAsync(TestContext.Current.CancellationToken);

        var options = web.Services.GetRequiredService<IOptions<SseOptions>>().Value;
        Assert.Equal((Timeout.InfiniteTimeSpan, 8, null, 1_000), (options.KeepAliveInterval, options.MaxTopics, options.ReconnectDelay, options.MaxEventsPerTopic));
    }

    [Theory]
    [MemberData(nameof(Measures))]
    public async Task Every_time_and_every_number_has_limits_that_are_told_by_name(string name)
    {
        var option = typeof(SseOptions).GetProperty(name)!;
        var (least, most) = TypeOf(option) switch
        {
            // Not -1 ms, which is Timeout.InfiniteTimeSpan.
            var type when type == typeof(TimeSpan) => ((object)TimeSpan.FromSeconds(-5), (object)TimeSpan.MaxValue),
            var type when type == typeof(int) => ((object)-5, (object)int.MaxValue),
            _ => ((object)-5L, (object)long.MaxValue),
        };
        foreach (var value in WithoutUpperLimit.Contains(name) ? [least] : new[] { least, most })
        {
            var failure = await StartFailsAsync(o => option.SetValue(o, value));

            Assert.Contains(failure.Failures, text => text.StartsWith($"SseOptions.{name} is {value}; it must be ", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Options_that_contradict_each_other_are_refused_together()
    {
        var failure = await StartFailsAsync(o =>
        {
            o.MaxConnections = 10;
            o.MaxConnectionsPerKey = 11;
            o.DrainWindow = TimeSpan.FromMinutes(20);
        });

        string[] says =
        [
            "SseOptions.MaxConnectionsPerKey is 11, but SseOptions.MaxConnections is 10",
            "SseOptions.MaxConnectionsPerKey is 11, but SseOptions.ConnectionKey is not set",
            "SseOptions.DrainWindow is 00:20:00; it must be zero or more and shorter than HostOptions.ShutdownTimeout, which is 00:10:00",
        ];
        Assert.Equal(says.Length, failure.Failures.Count());
        Assert.All(says, text => Assert.Contains(text, failure.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("00:00:01")]
    [InlineData("nonsense")]
    public async Task A_file_that_changes_while_the_app_runs_changes_no_stream(string interval)
    {
        var time = new FakeTimeProvider();
        var file = new Dictionary<string, string?> { ["Sse:KeepAliveInterval"] = "00:00:40", ["Sse:MaxConnections"] = "2" };
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(file).Build();
        HandSource[] sources = [new(), new()];
        var next = 0;
        await using var app = await TestApp.StartInMemoryAsync(
            web => web.MapGet("/", () => new EventSourceResult(sources[next++])), services => services.AddSse(configuration.GetSection("Sse")), time);
        await using var open = await app.Client.OpenSseAsync("/", cancellationToken: TestContext.Current.CancellationToken);
        await sources[0].IsWaitedForAsync();

        configuration["Sse:KeepAliveInterval"] = interval;
        configuration["Sse:MaxConnections"] = "1";
        configuration.Reload();
        configuration["Sse:KeepAliveInterval"] = interval;
        await using var opened = await app.Client.OpenSseAsync("/", cancellationToken: TestContext.Current.CancellationToken);
        await sources[1].IsWaitedForAsync();
        time.Advance(TimeSpan.FromSeconds(39));
        foreach (var source in sources)
        {
            source.Emit("a");
        }

        // No comment but the one that opens each, and no refusal in place of the second.
        Assert.Equal(": ", $"{await open.NextAsync(TestContext.Current.CancellationToken)}");
        Assert.Equal(": ", $"{await opened.NextAsync(TestContext.Current.CancellationToken)}");
        Assert.Equal("message: a", $"{await open.NextAsync(TestContext.Current.CancellationToken)}");
        Assert.Equal("message: a", $"{await opened.NextAsync(TestContext.Current.CancellationToken)}");
        Assert.Equal(TimeSpan.FromSeconds(40), app.Streams.Options.KeepAliveInterval);
    }

    private static Type TypeOf(PropertyInfo option) => Nullable.GetUnderlyingType(option.PropertyType) ?? option.PropertyType;

    private static IConfigurationSection Section(params (string Key, string? Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(value => KeyValuePair.Create($"Sse:{value.Key}", value.Value))).Build().GetSection("Sse");

    private static Task<OptionsValidationException> StartFailsAsync(IConfiguration configuration) => AppFailsAsync(services => services.AddSse(configuration));

    private static Task<OptionsValidationException> StartFailsAsync(Action<SseOptions> set) => AppFailsAsync(services => services.AddSse(set));

    private static async Task<OptionsValidationException> AppFailsAsync(Action<IServiceCollection> add)
    {
        await using var web = TestApp.BuildOnly(add);
        return await Assert.ThrowsAsync<OptionsValidationException>(() => web.StartAsync());
    }
}
