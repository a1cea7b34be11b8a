using System.Globalization;
using StackExchange.Redis;

namespace SseKit.StackExchangeRedis;

/// <summary>Producers on Redis: a lease is a second key beside the topic's, and time is that of Redis.</summary>
internal sealed partial class RedisBacklog : ISseLeases
{
    public async ValueTask<SseLease> AcquireAsync(string topic, SseLeaseTerms terms, CancellationToken cancellationToken) =>
        await LeaseAsync(topic, "acquire", terms.Owner, fence: 0, terms.Duration, terms.RetainFor, terms.TakeOver, cancellationToken)
        ?? throw new InvalidOperationException(
            $"The topic '{topic}' holds events that were published to it, so no producer can have it. Give each producer a topic of its own.");

    public ValueTask<SseLease> RenewAsync(string topic, long fence, TimeSpan duration, CancellationToken cancellationToken) =>
        OnLeaseAsync(topic, "renew", cancellationToken, fence: fence, duration: duration);

    public ValueTask<SseLease> AttendAsync(string topic, string node, TimeSpan duration, CancellationToken cancellationToken) =>
        OnLeaseAsync(topic, "attend", cancellationToken, who: node, duration: duration);

    public ValueTask<SseLease> StopAsync(string topic, CancellationToken cancellationToken) => OnLeaseAsync(topic, "stop", cancellationToken);

    public ValueTask<SseLease> ReleaseAsync(string topic, long fence, CancellationToken cancellationToken) =>
        OnLeaseAsync(topic, "release", cancellationToken, fence: fence);

    public ValueTask<SseLease> FindAsync(string topic, CancellationToken cancellationToken) => OnLeaseAsync(topic, "find", cancellationToken);

    private static string Word(SseProducerState state) => Enum.GetName(state)!.ToLowerInvariant();

    private async ValueTask<SseLease> OnLeaseAsync(
        string topic, string what, CancellationToken cancellationToken, string who = "", long fence = 0, TimeSpan duration = default) =>
        (await LeaseAsync(topic, what, who, fence, duration, retainFor: default, takeOver: false, cancellationToken))!.Value;

    /// <summary>One step on a lease; null where the topic holds events that no producer published.</summary>
    private async ValueTask<SseLease?> LeaseAsync(
        string topic, string what, string who, long fence, TimeSpan duration, TimeSpan retainFor, bool takeOver, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var link = await _connection.GetAsync(cancellationToken);
        var key = Key(topic);
        RedisValue[] arguments =
        [
            what, EntryId.Mark(_writer, Interlocked.Increment(ref _sequence)), who, fence, (long)Math.Ceiling(duration.TotalMilliseconds),
            (long)retainFor.TotalMilliseconds, takeOver ? "1" : "",
        ];
        var answer = await RedisScripts.RunAsync(link.Database, RedisScripts.Producer, key, arguments, cancellationToken);
        var state = (string)answer[0]!;
        if (answer.Length == 1)
        {
            return state == "taken" ? null : default(SseLease);
        }

        var unattended = (string?)answer[4];
        var end = (string?)answer[5];
        return new SseLease
        {
            State = Enum.Parse<SseProducerState>(state, ignoreCase: true),
            Fence = (long)answer[1],
            Granted = (int)answer[2] == 1,
            StopRequested = (int)answer[3] == 1,
            Unattended = string.IsNullOrEmpty(unattended) ? null : TimeSpan.FromMilliseconds(long.Parse(unattended, CultureInfo.InvariantCulture)),
            EndId = string.IsNullOrEmpty(end) ? null : end,
        };
    }
}
