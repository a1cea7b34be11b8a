using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace SseKit.Tests.Streaming;

public class OptionsTests
{
    private static readonly Dictionary<string, (Action<SseOptions> Set, string[] Says)> Wrong = new()
    {
        ["no keep-alive interval"] = (o => o.KeepAliveInterval = TimeSpan.Zero, ["SseOptions.KeepAliveInterval is 00:00:00", "00:00:00.1000000", "Timeout.InfiniteTimeSpan"]),
        ["a short keep-alive interval"] = (o => o.KeepAliveInterval = TimeSpan.FromMilliseconds(99), ["SseOptions.KeepAliveInterval is 00:00:00.0990000"]),
        ["a long keep-alive interval"] = (o => o.KeepAliveInterval = TimeSpan.FromHours(25), ["SseOptions.KeepAliveInterval is 1.01:00:00", "1.00:00:00"]),
        ["a negative reconnection interval"] = (o => o.ReconnectionInterval = TimeSpan.FromMilliseconds(-1), ["SseOptions.ReconnectionInterval is -00:00:00.0010000", "between 00:00:00"]),
        ["a long reconnection interval"] = (o => o.ReconnectionInterval = TimeSpan.FromDays(2), ["SseOptions.ReconnectionInterval is 2.00:00:00"]),
        ["an empty gap type"] = (o => o.GapEventType = "", ["SseOptions.GapEventType is empty", "'gap'"]),
        ["a missing gap type"] = (o => o.GapEventType = null!, ["SseOptions.GapEventType is empty"]),
        ["a gap type that fires onopen"] = (o => o.GapEventType = "open", ["SseOptions.GapEventType is 'open'", "Choose another"]),
        ["a gap type that fires onerror"] = (o => o.GapEventType = "error", ["SseOptions.GapEventType is 'error'"]),
        ["a gap type that fires onmessage"] = (o => o.GapEventType = "message", ["SseOptions.GapEventType is 'message'"]),
        ["a gap type with a line break"] = (o => o.GapEventType = "a\nb", ["SseOptions.GapEventType holds a CR, LF or NUL"]),
        ["no events"] = (o => o.MaxEventsPerTopic = 0, ["SseOptions.MaxEventsPerTopic is 0", "between 1 and 10000000"]),
        ["few bytes"] = (o => o.MaxBytesPerTopic = 1023, ["SseOptions.MaxBytesPerTopic is 1023", "between 1024 and 1073741824"]),
        ["no topics"] = (o => o.MaxTopics = 0, ["SseOptions.MaxTopics is 0", "between 1 and"]),
        ["small events only"] = (o => o.MaxEventSize = 1023, ["SseOptions.MaxEventSize is 1023", "between 1024 and 1073741824"]),
        ["events of any size"] = (o => o.MaxEventSize = int.MaxValue, ["SseOptions.MaxEventSize is 2147483647"]),
        ["events of no age"] = (o => o.MaxEventAge = TimeSpan.FromMilliseconds(999), ["SseOptions.MaxEventAge is 00:00:00.9990000", "between 1 s and 365 days", "Timeout.InfiniteTimeSpan"]),
        ["events for ever and a day"] = (o => o.MaxEventAge = TimeSpan.FromDays(366), ["SseOptions.MaxEventAge is 366.00:00:00"]),
        ["topics that are gone at once"] = (o => o.IdleTopicTimeout = TimeSpan.FromSeconds(59), ["SseOptions.IdleTopicTimeout is 00:00:59", "between 1 minute and 365 days", "Timeout.InfiniteTimeSpan"]),
        ["topics that stay for years"] = (o => o.IdleTopicTimeout = TimeSpan.FromDays(366), ["SseOptions.IdleTopicTimeout is 366.00:00:00"]),
        ["a rule for nothing"] = (o => o.Retention.Add(new SseRetentionRule()), ["SseOptions.Retention[0].Topic is empty", "'orders/*'"]),
        ["a rule with a star within"] = (o => o.Retention.Add(new SseRetentionRule { Topic = "*/orders" }), ["SseOptions.Retention[0].Topic is '*/orders'", "only stand at its end"]),
        ["a rule for what can be no topic"] = (o => o.Retention.Add(new SseRetentionRule { Topic = "a\nb" }), ["SseOptions.Retention[0].Topic holds the control character U+000A", "no topic"]),
        ["a rule that is none"] = (o => o.Retention.Add(null!), ["SseOptions.Retention[0] is null", "leave it out"]),
        ["a rule that comes too late"] = (o => AddRules(o, "orders", "orders*", "orders/7"), ["SseOptions.Retention[2].Topic is 'orders/7'", "'orders*' comes before it", "Put it first"]),
        ["a rule that is there already"] = (o => AddRules(o, "orders", "orders"), ["SseOptions.Retention[1].Topic is 'orders'", "'orders' comes before it"]),
        ["a rule of no events"] = (o => o.Retention.Add(new SseRetentionRule { Topic = "*", MaxEvents = 0 }), ["SseOptions.Retention[0].MaxEvents is 0", "between 1 and 10000000"]),
        ["a rule of few bytes"] = (o => o.Retention.Add(new SseRetentionRule { Topic = "*", MaxBytes = 1023 }), ["SseOptions.Retention[0].MaxBytes is 1023", "between 1024 and 1073741824"]),
        ["a rule of no age"] = (o => o.Retention.Add(new SseRetentionRule { Topic = "*", MaxAge = TimeSpan.Zero }), ["SseOptions.Retention[0].MaxAge is 00:00:00", "between 1 s and 365 days"]),
        ["a busy poll"] = (o => o.BacklogPollInterval = TimeSpan.FromMilliseconds(99), ["SseOptions.BacklogPollInterval is 00:00:00.0990000", "between 100 ms and 1 hour"]),
        ["a lazy poll"] = (o => o.BacklogPollInterval = TimeSpan.FromHours(2), ["SseOptions.BacklogPollInterval is 02:00:00"]),
        ["an empty end type"] = (o => o.EndEventType = "", ["SseOptions.EndEventType is empty", "'end'"]),
        ["an end type that fires onerror"] = (o => o.EndEventType = "error", ["SseOptions.EndEventType is 'error'", "'end'"]),
        ["an end that looks like a gap"] = (o => o.EndEventType = "gap", ["SseOptions.EndEventType is 'gap', as SseOptions.GapEventType is"]),
        ["a short lease"] = (o => o.ProducerLease = TimeSpan.FromMilliseconds(999), ["SseOptions.ProducerLease is 00:00:00.9990000", "between 1 s and 1 hour"]),
        ["a long lease"] = (o => o.ProducerLease = TimeSpan.FromHours(2), ["SseOptions.ProducerLease is 02:00:00"]),
        ["a negative drain time"] = (o => o.ProducerDrainTime = TimeSpan.FromTicks(-1), ["SseOptions.ProducerDrainTime is -00:00:00.0000001"]),
    };

    private static readonly Dictionary<string, (Action<SseStreamOptions> Set, string[] Says)> WrongChoices = new()
    {
        ["no keep-alive interval"] = (o => o.KeepAliveInterval = TimeSpan.Zero, ["KeepAliveInterval is 00:00:00"]),
        ["a gap type that fires onopen"] = (o => o.GapEventType = "open", ["GapEventType is 'open'"]),
        ["an empty gap type"] = (o => o.GapEventType = "", ["GapEventType is empty"]),
        ["a start that is none"] = (o => o.Start = (SseStart)9, ["Start is 9", "SseStart"]),
        ["a gap action that is none"] = (o => o.OnGap = (SseGapAction)9, ["OnGap is 9", "SseGapAction"]),
        ["a start with no snapshot"] = (o => o.Start = SseStart.Snapshot, ["Snapshot is not set", "Set it"]),
        ["a gap with no snapshot"] = (o => o.OnGap = SseGapAction.Snapshot, ["Snapshot is not set"]),
        ["several at once"] = (
            o =>
            {
                o.KeepAliveInterval = TimeSpan.Zero;
                o.GapEventType = "error";
            },
            ["KeepAliveInterval is 00:00:00", "GapEventType is 'error'"]),
    };

    public static TheoryData<string> WrongOptions => [.. Wrong.Keys];

    public static TheoryData<string> WrongStreamOptions => [.. WrongChoices.Keys];

    [Theory]
    [MemberData(nameof(WrongOptions))]
    public async Task An_app_with_wrong_settings_does_not_start_and_says_why(string what)
    {
        var (set, says) = Wrong[what];
        var failure = await StartFailsAsync(set);
        Assert.All(says, text => Assert.Contains(text, failure.Message, StringComparison.Ordinal));
        Assert.Single(failure.Failures);
    }

    [Fact]
    public async Task All_wrong_settings_are_told_at_once()
    {
        var failure = await StartFailsAsync(o =>
        {
            o.KeepAliveInterval = TimeSpan.Zero;
            o.GapEventType = "open";
            o.MaxTopics = -1;
        });
        Assert.All(new[] { "KeepAliveInterval", "GapEventType", "MaxTopics is -1" }, text => Assert.Contains(text, failure.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_limits_themselves_are_fine()
    {
        await using var least = await TestApp.StartInMemoryAsync(_ => { }, services => services.AddSse(o =>
        {
            o.KeepAliveInterval = TimeSpan.FromMilliseconds(100);
            o.ReconnectionInterval = TimeSpan.Zero;
            o.MaxEventsPerTopic = 1;
            o.MaxBytesPerTopic = o.MaxEventSize = 1024;
            o.MaxTopics = 1;
            o.MaxEventAge = TimeSpan.FromSeconds(1);
            o.IdleTopicTimeout = TimeSpan.FromMinutes(1);
            o.Retention.Add(new SseRetentionRule { Topic = "a", MaxEvents = 1, MaxBytes = 1024, MaxAge = TimeSpan.FromSeconds(1) });
            o.BacklogPollInterval = TimeSpan.FromMilliseconds(100);
        }));
        await using var most = await TestApp.StartInMemoryAsync(_ => { }, services => services.AddSse(o =>
        {
            o.KeepAliveInterval = o.ReconnectionInterval = TimeSpan.FromDays(1);
            o.MaxEventsPerTopic = o.MaxTopics = 10_000_000;
            o.MaxBytesPerTopic = o.MaxEventSize = 1024 * 1024 * 1024;
            o.BacklogPollInterval = TimeSpan.FromHours(1);
            o.MaxEventAge = o.IdleTopicTimeout = TimeSpan.FromDays(365);
            o.Retention.Add(new SseRetentionRule { Topic = "a", MaxEvents = 10_000_000, MaxBytes = 1024 * 1024 * 1024, MaxAge = TimeSpan.FromDays(365) });
            AddRules(o, "a/*", "*");
        }));
        await using var none = await TestApp.StartInMemoryAsync(_ => { }, services => services.AddSse(o =>
            o.KeepAliveInterval = o.MaxEventAge = o.IdleTopicTimeout = Timeout.InfiniteTimeSpan));
    }

    [Theory]
    [MemberData(nameof(WrongStreamOptions))]
    public void Wrong_choices_are_refused_where_they_are_made(string what)
    {
        var (set, says) = WrongChoices[what];
        var web = TestApp.BuildOnly(services => services.AddSse());
        Func<object>[] ways =
        [
            () => web.MapSse("/", "orders", set),
            () => web.MapSse("/", _ => (string?)"orders", set),
            () => web.MapSse("/", _ => Events.Of("a"), set),
            () => EventSourceResult.FromTopic("orders", set),
            () => new EventSourceResult(Events.Of("a"), set),
            () => EventSourceResult.From(Events.Values([1]), configure: set),
        ];
        foreach (var way in ways)
        {
            var failure = Assert.Throws<ArgumentException>(way);
            Assert.All(says, text => Assert.Contains(text, failure.Message, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_topic_name_that_can_not_be_is_refused_when_it_is_mapped()
    {
        var web = TestApp.BuildOnly(services => services.AddSse());
        Assert.Contains("topic name", Assert.Throws<ArgumentException>(() => web.MapSse("/", "")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => web.MapSse("/", "a\nb"));
    }

    private static void AddRules(SseOptions options, params string[] topics) =>
        Array.ForEach(topics, topic => options.Retention.Add(new SseRetentionRule { Topic = topic }));

    private static async Task<OptionsValidationException> StartFailsAsync(Action<SseOptions> set)
    {
        await using var web = TestApp.BuildOnly(services => services.AddSse(set));
        return await Assert.ThrowsAsync<OptionsValidationException>(() => web.StartAsync());
    }
}
