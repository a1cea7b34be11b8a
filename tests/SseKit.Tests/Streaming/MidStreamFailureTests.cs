using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace SseKit.Tests.Streaming;

public class MidStreamFailureTests
{
    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_source_that_breaks_is_logged_once_and_its_client_can_come_back(string http)
    {
        var broken = new HandSource();
        var other = new HandSource();
        await using var app = await TestApp.StartAsync(
            web =>
            {
                web.MapGet("/broken", () => new EventSourceResult(broken));
                web.MapGet("/other", () => new EventSourceResult(other));
            },
            http);
        using var brokenStream = await app.OpenAsync("/broken");
        using var otherStream = await app.OpenAsync("/other");
        broken.Emit("a");
        broken.Emit("b");
        await broken.IsWaitedForAsync(times: 2);

        var exception = new InvalidOperationException("broken");
        broken.Fail(exception);

        // A clean end: a reset would be thrown here, and might overtake what was sent before it.
        Assert.Equal("data: a\n\ndata: b\n\n", await brokenStream.ReadToEndAsync());
        await broken.Disposed.Soon();
        var line = Assert.Single(app.Log.Troubles);
        Assert.Equal(("SseKit", LogLevel.Error, "StreamFailed"), (line.Category, line.Level, line.Id.Name));
        Assert.Contains("/broken", line.Message, StringComparison.Ordinal);
        Assert.Same(exception, line.Exception);

        other.Emit("still here");
        await otherStream.ExpectAsync("data: still here\n\n");
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task What_was_ready_before_the_failure_arrives(string http)
    {
        await using var app = await TestApp.StartAsync(
            web => web.MapGet("/", () => new EventSourceResult(Events.Failing(new InvalidOperationException("broken"), "a", "b"))), http);
        using var stream = await app.OpenAsync("/");
        Assert.Equal("data: a\n\ndata: b\n\n", await stream.ReadToEndAsync());
        await Waiting.Until(() => app.Log.Troubles.Any());
        Assert.Equal("StreamFailed", Assert.Single(app.Log.Troubles).Id.Name);
    }

    [Fact]
    public async Task An_event_that_can_not_be_written_leaves_no_half_of_itself_behind()
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(
            Events.Values(["a", SseEvent.Json(new HalfWritable()) with { EventType = "half", EventId = "1" }, "b"]))));
        using var stream = await app.OpenAsync("/");
        Assert.Equal("data: a\n\n", await stream.ReadToEndAsync());
        await Waiting.Until(() => app.Log.Troubles.Any());
        Assert.Equal("StreamFailed", Assert.Single(app.Log.Troubles).Id.Name);
    }

    [Fact]
    public async Task A_disposal_that_throws_does_not_spoil_the_end()
    {
        await using var app = await TestApp.StartAsync(web => web.MapGet("/", () => new EventSourceResult(new BadlyDisposed(Events.Of("a")))));
        using var stream = await app.OpenAsync("/");
        Assert.Equal("data: a\n\n", await stream.ReadToEndAsync());
        await Waiting.Until(() => app.Log.Ours.Any());
        Assert.Equal((LogLevel.Debug, "SourceFailedAfterEnd"), app.Log.Ours.Select(line => (line.Level, line.Id.Name)).Single());
        Assert.Empty(app.Log.Troubles);
    }

    private sealed class HalfWritable
    {
        public string Text { get; } = new('a', 10_000);

        public int Value => throw new InvalidOperationException($"can't be read after {Text.Length} characters");
    }

    private sealed class BadlyDisposed(IAsyncEnumerable<SseEvent> items) : IAsyncEnumerable<SseEvent>, IAsyncEnumerator<SseEvent>
    {
        private readonly IAsyncEnumerator<SseEvent> _items = items.GetAsyncEnumerator();

        public SseEvent Current => _items.Current;

        public IAsyncEnumerator<SseEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) => this;

        public ValueTask<bool> MoveNextAsync() => _items.MoveNextAsync();

        public ValueTask DisposeAsync() => throw new InvalidOperationException("can't clean up");
    }
}
