using System.Collections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SseKit.Watching;

namespace SseKit.Tests.Watching;

/// <summary>
/// Once the app has yielded, the middleware and the app look at the same <see cref="HttpContext"/> from two threads, to send the headers of a
/// stream that was announced. The context's caches of features survive that only if neither has to fill them.
/// </summary>
public sealed class OneThreadTests
{
    [Fact]
    public async Task After_a_stream_is_announced_nobody_fills_the_caches_of_its_context()
    {
        var features = new NotedFeatures(new DefaultHttpContext().Features);
        var context = new DefaultHttpContext(features);
        var yielded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var middleware = new SseMiddleware(async context =>
        {
            // As routing does: what was known of the features before is out of date.
            context.SetEndpoint(new Endpoint(requestDelegate: null, metadata: null, displayName: null));
            context.Response.ContentType = "text/event-stream";
            context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            features.Noted.Clear();
            await yielded.Task;
            await context.Response.Body.WriteAsync("data: one\n\n"u8.ToArray());
        });

        var request = middleware.InvokeAsync(context);

        Assert.Equal("no", context.Response.Headers["X-Accel-Buffering"]);
        Assert.DoesNotContain(nameof(IHttpRequestFeature), features.Noted);
        Assert.DoesNotContain(nameof(IHttpResponseFeature), features.Noted);
        Assert.DoesNotContain(features.Noted, what => what.StartsWith("set ", StringComparison.Ordinal));
        yielded.SetResult();
        await request;
    }

    /// <summary>Features that note who is asked for, which the context does only to fill its caches.</summary>
    private sealed class NotedFeatures(IFeatureCollection inner) : IFeatureCollection
    {
        public List<string> Noted { get; } = [];

        public bool IsReadOnly => false;

        public int Revision => inner.Revision;

        public object? this[Type key]
        {
            get => inner[key];
            set => inner[key] = value;
        }

        public TFeature? Get<TFeature>()
        {
            Noted.Add(typeof(TFeature).Name);
            return inner.Get<TFeature>();
        }

        public void Set<TFeature>(TFeature? instance)
        {
            Noted.Add($"set {typeof(TFeature).Name}");
            inner.Set(instance);
        }

        public IEnumerator<KeyValuePair<Type, object>> GetEnumerator() => inner.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
