using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Watching;

namespace SseKit.Tests.Watching;

public class LargeEventTests
{
    private const int Mebibyte = 1024 * 1024;

    [Fact]
    public void A_large_event_costs_memory_in_proportion_to_its_size()
    {
        var text = $"data: {new string('x', Mebibyte)}\n\n";
        var middleware = new SseMiddleware(context =>
        {
            context.Response.ContentType = "text/event-stream";
            return context.Response.WriteAsync(text);
        });
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(Stream.Null));

        var before = GC.GetAllocatedBytesForCurrentThread();
        var request = middleware.InvokeAsync(context);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        // Only then was all of it done on this thread.
        Assert.True(request.IsCompletedSuccessfully);
        Assert.InRange(allocated, Mebibyte, 8 * Mebibyte);
    }
}
