using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;

namespace SseKit.Tests.Streaming;

/// <summary>A source that is no iterator changes the execution context of its reader, as in an <c>await foreach</c>.</summary>
public class SourceContextTests
{
    private static readonly AsyncLocal<string?> Note = new();

    [Fact]
    public Task A_source_keeps_what_it_noted_in_its_context_when_it_was_opened() => NoteAsync(again: false, ["opened", "opened", "opened", "opened"]);

    [Fact]
    public Task A_source_keeps_what_it_notes_in_its_context_at_each_step_and_who_completes_a_step_does_not_see_it() =>
        NoteAsync(again: true, ["opened", "1", "2", "3"]);

    /// <summary>Many steps, since one that completes before the stream waits for it goes another way.</summary>
    [Fact]
    public Task A_source_keeps_what_it_notes_in_its_context_also_when_the_stream_has_to_wait_for_its_client() =>
        NoteAsync(again: true, ["opened", .. Enumerable.Range(1, 99).Select(step => $"{step}")], new LateBody());

    [Fact]
    public async Task A_source_is_asked_on_the_task_scheduler_that_its_stream_began_on()
    {
        var scheduler = new ConcurrentExclusiveSchedulerPair().ExclusiveScheduler;
        var source = new NotingSource(again: false);
        var context = new DefaultHttpContext();
        context.Response.Body = new MemoryStream();
        var run = await Task.Factory.StartNew(() => new EventSourceResult(source).ExecuteAsync(context), TestContext.Current.CancellationToken, TaskCreationOptions.None, scheduler).Soon();

        source.CompleteStep(hasNext: true);
        await Waiting.Until(() => source.Schedulers.Count == 2);
        source.CompleteStep(hasNext: false);
        await run.Soon();

        Assert.Equal([scheduler, scheduler], source.Schedulers);
    }

    // Outside the test's synchronization context, in which a stream would go on later.
    private static Task NoteAsync(bool again, string[] expected, Stream? body = null) => Task.Run(async () =>
    {
        var source = new NotingSource(again);
        var context = new DefaultHttpContext();
        context.Response.Body = body ?? new MemoryStream();
        var run = new EventSourceResult(source).ExecuteAsync(context);
        for (var step = 1; step < expected.Length; step++)
        {
            await Waiting.Until(() => source.Schedulers.Count == step);
            source.CompleteStep(hasNext: true);
            Assert.Null(Note.Value);
        }

        await Waiting.Until(() => source.Schedulers.Count == expected.Length);
        source.CompleteStep(hasNext: false);
        await run.Soon();
        Assert.Equal(expected, source.Seen);
    });

    private sealed class LateBody : MemoryStream
    {
        public override async Task FlushAsync(CancellationToken cancellationToken) => await Task.Yield();
    }

    private sealed class NotingSource(bool again) : IAsyncEnumerable<SseEvent>, IAsyncEnumerator<SseEvent>
    {
        private TaskCompletionSource<bool> _step = new();

        public List<string?> Seen { get; } = [];

        public ConcurrentQueue<TaskScheduler> Schedulers { get; } = [];

        public SseEvent Current => "x";

        public void CompleteStep(bool hasNext) => _step.SetResult(hasNext);

        public IAsyncEnumerator<SseEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default)
        {
            Note.Value = "opened";
            return this;
        }

        public ValueTask<bool> MoveNextAsync()
        {
            Seen.Add(Note.Value);
            if (again)
            {
                Note.Value = $"{Seen.Count}";
            }

            _step = new TaskCompletionSource<bool>();
            Schedulers.Enqueue(TaskScheduler.Current);
            return new ValueTask<bool>(_step.Task);
        }

        public ValueTask DisposeAsync() => default;
    }
}
