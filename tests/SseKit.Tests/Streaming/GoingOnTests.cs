using System.Threading.Tasks.Sources;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace SseKit.Tests.Streaming;

/// <summary>A stream goes on where its source wakes it, on the source's own thread.</summary>
public class GoingOnTests
{
    private readonly CountingBody _body = new();
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_source_is_asked_in_its_requests_context_whoever_wakes_the_stream()
    {
        var context = new AsyncLocal<string>();
        var seen = new List<string?>();
        var source = new InlineSource { Asked = _ => seen.Add(context.Value) };
        context.Value = "request";
        var running = RunAsync(source);
        var left = string.Empty;
        OnThread(() =>
        {
            context.Value = "producer";
            source.Emit("a");
            source.Emit("b");
            source.End();
            left = context.Value;
        });

        await running.Soon();
        Assert.Equal(":\ndata: a\n\ndata: b\n\n", _body.Text);
        Assert.Equal(["request", "request", "request"], seen);
        Assert.Equal("producer", left);
    }

    [Fact]
    public async Task What_a_source_throws_where_it_wakes_the_stream_ends_the_stream_and_not_the_waker()
    {
        var source = new InlineSource { Asked = time => Assert.True(time < 2, "enough") };
        var running = RunAsync(source, options => options.OnError = (_, exception) => new SseEvent(exception.Message) { EventType = "failed" });

        // In the context of the stream, so that this thread goes on with it.
        source.Emit("a");
        await running.Soon();
        Assert.Equal(":\ndata: a\n\nevent: failed\ndata: enough\n\n", _body.Text);
    }

    [Fact]
    public async Task A_keep_alive_that_falls_due_while_another_thread_goes_on_is_sent()
    {
        var source = new InlineSource();
        var running = RunAsync(source);
        source.WaitedFor = () => _time.Advance(TimeSpan.FromSeconds(30));
        source.Emit("a");
        Assert.Equal(":\ndata: a\n\n:\n", _body.Text);

        source.WaitedFor = () => { };
        source.Emit("b");
        Assert.Equal(":\ndata: a\n\n:\ndata: b\n\n", _body.Text);
        source.End();
        await running.Soon();
    }

    private static void OnThread(Action work)
    {
        var thread = new Thread(() => work());
        thread.Start();
        thread.Join();
    }

    private Task RunAsync(InlineSource source, Action<SseOptions>? configure = null)
    {
        var services = new ServiceCollection().AddLogging().AddSingleton<TimeProvider>(_time);
        if (configure is not null)
        {
            services.AddSse(configure);
        }

        return new EventSourceResult(source).ExecuteAsync(_body.Context(services.BuildServiceProvider()));
    }

    /// <summary>Runs whoever waits for it on the thread that emits.</summary>
    private sealed class InlineSource : IAsyncEnumerable<SseEvent>, IAsyncEnumerator<SseEvent>, IValueTaskSource<bool>
    {
        private ManualResetValueTaskSourceCore<bool> _step;
        private int _asked;

        public SseEvent Current { get; private set; }

        /// <summary>Called whenever a step begins, with its number from 1.</summary>
        public Action<int> Asked { get; init; } = _ => { };

        /// <summary>Called whenever there is nothing more to be done until the source goes on.</summary>
        public Action WaitedFor { get; set; } = () => { };

        public void Emit(string data)
        {
            Current = data;
            _step.SetResult(true);
        }

        public void End() => _step.SetResult(false);

        public IAsyncEnumerator<SseEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) => this;

        public ValueTask<bool> MoveNextAsync()
        {
            Asked(++_asked);
            _step.Reset();
            return new ValueTask<bool>(this, _step.Version);
        }

        public ValueTask DisposeAsync() => default;

        bool IValueTaskSource<bool>.GetResult(short token) => _step.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _step.GetStatus(token);

        void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        {
            _step.OnCompleted(continuation, state, token, flags);
            WaitedFor();
        }
    }
}
