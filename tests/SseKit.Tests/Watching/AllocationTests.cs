using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Watching;

namespace SseKit.Tests.Watching;

/// <summary>What the middleware costs a request that has nothing to do with event streams.</summary>
[Collection(nameof(AllocationTests))]
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
public class AllocationTests
{
    private const int Requests = 2000;

    private static readonly byte[] Json = "{\"text\":\"hello\"}"u8.ToArray();

    private readonly Turn _turn = new();

    [Theory]
    [InlineData("BodyWriter", true, false, 200)]
    [InlineData("BodyWriter", true, true, 200)]
    [InlineData("Body", true, false, 200)]
    [InlineData("Body", true, true, 200)]
    [InlineData("BodyWriter", false, false, 200)]
    [InlineData("BodyWriter", false, true, 240)]
    [InlineData("Body", false, false, 200)]
    [InlineData("Body", false, true, 200)]
    public async Task A_request_that_is_no_event_stream_costs_at_most_200_bytes(string by, bool typed, bool yields, int most)
    {
        async Task Answer(HttpContext context)
        {
            if (yields)
            {
                await _turn;
            }

            if (typed)
            {
                context.Response.ContentType = "application/json";
            }

            if (by == "Body")
            {
                await context.Response.Body.WriteAsync(Json);
            }
            else
            {
                context.Response.BodyWriter.Write(Json);
                await context.Response.BodyWriter.FlushAsync();
            }
        }

        var without = await MeasureAsync(Answer);
        var with = await MeasureAsync(new SseMiddleware(Answer).InvokeAsync);

        // 40 more where nothing says what the response is, and its writer is asked for: then it must be watched, too.
        Assert.True(with - without <= most, $"{with - without} B a request");
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 80)]
    public async Task A_token_that_is_asked_for_costs_something_only_where_the_response_may_still_become_a_stream(bool typed, int most)
    {
        async Task Answer(HttpContext context, bool asks)
        {
            context.Response.ContentType = typed ? "application/json" : null;
            if (asks)
            {
                Assert.False(context.RequestAborted.IsCancellationRequested);
            }

            await _turn;
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync(Json);
        }

        var without = await MeasureAsync(new SseMiddleware(context => Answer(context, asks: false)).InvokeAsync);
        var with = await MeasureAsync(new SseMiddleware(context => Answer(context, asks: true)).InvokeAsync);

        Assert.True(with - without <= most, $"{with - without} B a request");
    }

    private async Task<long> MeasureAsync(RequestDelegate app)
    {
        using var left = new CancellationTokenSource();
        var body = new NullBody();
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpResponseBodyFeature>(body);
        context.Features.Set<IHttpRequestLifetimeFeature>(new HttpRequestLifetimeFeature { RequestAborted = left.Token });
        await RunAsync(app, context, 200);
        var before = GC.GetAllocatedBytesForCurrentThread();
        await RunAsync(app, context, Requests);
        return (GC.GetAllocatedBytesForCurrentThread() - before) / Requests;
    }

    // All on one thread: a turn that is waited for is taken right here.
    private Task RunAsync(RequestDelegate app, HttpContext context, int requests)
    {
        for (var i = 0; i < requests; i++)
        {
            context.Response.ContentType = null;
            var request = app(context);
            if (!request.IsCompleted)
            {
                _turn.Take();
            }

            Assert.True(request.IsCompletedSuccessfully);
        }

        return Task.CompletedTask;
    }

    /// <summary>Something to wait for that costs nothing itself.</summary>
    private sealed class Turn : ICriticalNotifyCompletion
    {
        private Action? _waiting;

        public bool IsCompleted => false;

        public Turn GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => _waiting = continuation;

        public void UnsafeOnCompleted(Action continuation) => _waiting = continuation;

        public void Take()
        {
            var waiting = _waiting;
            _waiting = null;
            waiting!();
        }
    }

    private sealed class NullBody : IHttpResponseBodyFeature
    {
        private readonly PipeWriter _writer = new NullWriter();

        public Stream Stream => Stream.Null;

        public PipeWriter Writer => _writer;

        public void DisableBuffering()
        {
        }

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task CompleteAsync() => Task.CompletedTask;
    }

    private sealed class NullWriter : PipeWriter
    {
        private readonly byte[] _buffer = new byte[4096];

        public override void Advance(int bytes)
        {
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => _buffer;

        public override Span<byte> GetSpan(int sizeHint = 0) => _buffer;

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => default;
    }
}
