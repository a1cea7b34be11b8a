using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SseKit.Tests.Streaming;
using SseKit.Watching;
using static SseKit.Tests.Streaming.Waiting;

namespace SseKit.Tests.Watching;

/// <summary>The app and the clock take turns, nothing follows the end, and what is wrapped is left as it was.</summary>
public sealed class GateTests : IDisposable
{
    private readonly LogList _log = new();
    private readonly RecordingBody _body = new();
    private readonly ServiceProvider _services;
    private readonly DefaultHttpContext _context;

    public GateTests()
    {
        _services = new ServiceCollection()
            .AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(_log))
            .AddSse().Services.BuildServiceProvider();
        _context = _body.Context(_services);
    }

    public void Dispose()
    {
        _services.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task There_is_no_keep_alive_while_a_write_or_flush_is_pending()
    {
        await RunAsync(async context =>
        {
            var stream = RecordingBody.StreamOf(context);
            _body.FlushGate = new TaskCompletionSource();
            var write = context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray()).AsTask();
            RecordingBody.KeepAlive(stream);
            Assert.False(write.IsCompleted);
            Assert.Equal("data: x\n\n", _body.Text);
            _body.FlushGate.SetResult();
            await write.Soon();

            _body.FlushGate = new TaskCompletionSource();
            var flush = context.Response.BodyWriter.FlushAsync().AsTask();
            RecordingBody.KeepAlive(stream);
            Assert.Equal("data: x\n\n", _body.Text);
            _body.FlushGate.SetResult();
            await flush.Soon();

            RecordingBody.KeepAlive(stream);
            Assert.Equal("data: x\n\n:\n", _body.Text);
        });
    }

    [Fact]
    public async Task A_write_waits_for_the_keep_alive_before_it()
    {
        await RunAsync(async context =>
        {
            await context.Response.Body.FlushAsync();
            _body.FlushGate = new TaskCompletionSource();
            RecordingBody.KeepAlive(RecordingBody.StreamOf(context));
            var write = context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray()).AsTask();
            Assert.False(write.IsCompleted);
            Assert.Equal(":\n", _body.Text);
            _body.FlushGate.SetResult();
            await write.Soon();
            Assert.Equal(":\ndata: x\n\n", _body.Text);
        });
    }

    [Fact]
    public async Task A_write_that_is_cancelled_while_it_waits_for_a_keep_alive_sends_nothing()
    {
        await RunAsync(async context =>
        {
            await context.Response.Body.FlushAsync();
            _body.FlushGate = new TaskCompletionSource();
            RecordingBody.KeepAlive(RecordingBody.StreamOf(context));
            using var cancel = new CancellationTokenSource();
            context.Response.BodyWriter.Write("data: x\n\n"u8);
            var flush = context.Response.BodyWriter.FlushAsync(cancel.Token).AsTask();
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush.Soon());
            Assert.Equal(":\n", _body.Text);

            // The bytes are still the writer's, as in any pipe.
            _body.FlushGate.SetResult();
            await context.Response.BodyWriter.FlushAsync();
            Assert.Equal(":\ndata: x\n\n", _body.Text);
        });
    }

    [Fact]
    public async Task A_flush_that_is_cancelled_half_way_does_not_send_its_bytes_again()
    {
        await RunAsync(async context =>
        {
            _body.FlushGate = new TaskCompletionSource();
            using var cancel = new CancellationTokenSource();
            context.Response.BodyWriter.Write("data: x\n\n"u8);
            var flush = context.Response.BodyWriter.FlushAsync(cancel.Token).AsTask();
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush.Soon());
            _body.FlushGate = null;
            await context.Response.BodyWriter.FlushAsync();
        });
        Assert.Equal("data: x\n\n", _body.Text);
    }

    [Fact]
    public async Task Memory_that_is_being_sent_is_not_handed_out_again()
    {
        await RunAsync(async context =>
        {
            _body.WriteGate = new TaskCompletionSource();
            context.Response.BodyWriter.Write("data: x\n\n"u8);
            var flush = context.Response.BodyWriter.FlushAsync().AsTask();
            Assert.False(flush.IsCompleted);
            context.Response.BodyWriter.Write("data: y\n\n"u8);
            _body.WriteGate.SetResult();
            await flush.Soon();
        });
        Assert.Equal("data: x\n\ndata: y\n\n", _body.Text);
    }

    [Fact]
    public async Task A_caller_hears_that_its_flush_was_cancelled()
    {
        await RunAsync(async context =>
        {
            context.Response.BodyWriter.CancelPendingFlush();
            Assert.True((await context.Response.BodyWriter.FlushAsync()).IsCanceled);
            Assert.False((await context.Response.BodyWriter.FlushAsync()).IsCanceled);
        });
    }

    [Fact]
    public async Task The_end_waits_for_a_keep_alive_that_is_under_way_and_nothing_follows_it()
    {
        WatchedStream? stream = null;
        var request = RunAsync(async context =>
        {
            await context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray());
            stream = RecordingBody.StreamOf(context);
            _body.FlushGate = new TaskCompletionSource();
            RecordingBody.KeepAlive(stream);
        });
        Assert.False(request.IsCompleted);
        _body.FlushGate!.SetResult();
        await request.Soon();
        RecordingBody.KeepAlive(stream!);
        Assert.Equal("data: x\n\n:\n", _body.Text);
    }

    [Fact]
    public async Task Nothing_follows_a_response_that_the_app_has_completed()
    {
        await RunAsync(async context =>
        {
            context.Response.BodyWriter.Write("data: x\n\n"u8);
            var stream = RecordingBody.StreamOf(context);
            await context.Response.CompleteAsync();
            RecordingBody.KeepAlive(stream);
        });
        Assert.Equal("data: x\n\n", _body.Text);
        Assert.Equal("Complete", _body.Calls[^1]);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task The_servers_feature_is_put_back_at_the_end_whatever_the_end(bool fails, bool yields)
    {
        var request = RunAsync(async context =>
        {
            if (yields)
            {
                await Task.Yield();
            }

            await context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray());
            if (fails)
            {
                throw new InvalidOperationException("on purpose");
            }
        });
        Assert.Equal(fails ? "on purpose" : null, (await Record.ExceptionAsync(() => request))?.Message);
        Assert.Same(_body, _context.Features.Get<IHttpResponseBodyFeature>());
    }

    [Fact]
    public async Task A_pipeline_that_throws_before_it_awaits_is_no_different()
    {
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => new SseMiddleware(_ => throw new InvalidOperationException("on purpose")).InvokeAsync(_context));
        Assert.Same(_body, _context.Features.Get<IHttpResponseBodyFeature>());
    }

    [Fact]
    public async Task What_is_wrapped_is_neither_completed_nor_disposed_of()
    {
        await RunAsync(async context =>
        {
            await using (var writer = new StreamWriter(context.Response.Body))
            {
                await writer.WriteAsync("data: x\n\n");
            }

            await context.Response.Body.DisposeAsync();
            context.Response.BodyWriter.Write("data: y\n\n"u8);
            await context.Response.BodyWriter.CompleteAsync();
        });
        Assert.Equal("data: x\n\ndata: y\n\n", _body.Text);
        Assert.DoesNotContain("Complete", _body.Calls);
        Assert.DoesNotContain("Dispose", _body.Calls);
        await _body.Writer.WriteAsync("still open"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.EndsWith("still open", _body.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Buffering_is_turned_off_for_a_stream_that_does_not_say_so_itself()
    {
        await RunAsync(context => context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray()).AsTask());
        Assert.Contains("DisableBuffering", _body.Calls);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_event_is_flushed_since_something_may_buffer_behind(bool synchronous)
    {
        await RunAsync(async context =>
        {
            if (synchronous)
            {
                context.Response.Body.Write("data: x\n\n"u8);
            }
            else
            {
                await context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray());
            }

            Assert.Equal("Flush", _body.Calls[^1]);
        });
    }

    [Fact]
    public async Task A_keep_alive_that_fails_troubles_nobody_and_is_the_last()
    {
        await RunAsync(async context =>
        {
            await context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray());
            var stream = RecordingBody.StreamOf(context);
            _body.FlushFailure = new InvalidOperationException("Writing is not allowed after writer was completed.");
            RecordingBody.KeepAlive(stream);
            await Until(() => _log.Ours.Any());
            RecordingBody.KeepAlive(stream);
            _body.FlushFailure = null;
        });
        Assert.Equal("data: x\n\n:\n", _body.Text);
        var line = Assert.Single(_log.Ours);
        Assert.Equal(LogLevel.Debug, line.Level);
        Assert.Equal("KeepAliveFailed", line.Id.Name);
    }

    [Fact]
    public async Task A_stream_whose_last_flush_fails_is_forgotten_by_the_clock_all_the_same()
    {
        WatchedStream? stream = null;
        await Assert.ThrowsAsync<IOException>(() => RunAsync(async context =>
        {
            await context.Response.Body.WriteAsync("data: x\n\n"u8.ToArray());
            stream = RecordingBody.StreamOf(context);
            context.Response.BodyWriter.Write("data: y\n\n"u8);
            _body.FlushFailure = new IOException("gone");
        }));
        _body.FlushFailure = null;
        RecordingBody.KeepAlive(stream!);
        Assert.Equal("data: x\n\ndata: y\n\n", _body.Text);
    }

    private Task RunAsync(Func<HttpContext, Task> app) => new SseMiddleware(context =>
    {
        context.Response.ContentType = "text/event-stream";
        return app(context);
    }).InvokeAsync(_context);
}
