using System.Net;
using System.Net.Http.Headers;

namespace SseKit.Tests.Kit;

/// <summary>A client whose server is a list of answers, one for each request.</summary>
internal sealed class GivenAnswers(params Func<HttpResponseMessage>[] answers) : HttpMessageHandler
{
    public List<HttpRequestMessage> Requests { get; } = [];

    public static HttpResponseMessage Stream(Stream body) => new(HttpStatusCode.OK)
    {
        Content = new StreamContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("text/event-stream") } },
    };

    public static HttpResponseMessage Stream(string body) => Stream(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(body)));

    public HttpClient Client() => new(this) { BaseAddress = new Uri("http://given/") };

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Requests.Add(request);
        return Task.FromResult(answers[Requests.Count - 1]());
    }
}
