using System.Diagnostics.CodeAnalysis;

namespace SseKit.Testing;

/// <summary>Opens event streams in tests.</summary>
public static class SseHttpClientExtensions
{
    /// <summary>Asks for an event stream, as an EventSource would; completes when the headers are here.</summary>
    /// <param name="client">Any client: of a <c>WebApplicationFactory</c>, of a <c>TestServer</c>, or a real one.</param>
    /// <param name="requestUri">Where the stream is.</param>
    /// <param name="configure">How to read it; null for the defaults of <see cref="SseTestOptions"/>.</param>
    /// <param name="cancellationToken">Ends the attempt to open, not the stream.</param>
    /// <returns>The stream, whatever the answer was: a test may want to see a 404. Reading it says so then.</returns>
    /// <exception cref="TimeoutException">No headers came within <see cref="SseTestOptions.Guard"/>.</exception>
    /// <exception cref="HttpRequestException">There was no answer.</exception>
    public static async Task<SseTestStream> OpenSseAsync(
        this HttpClient client,
        [StringSyntax(StringSyntaxAttribute.Uri)] string requestUri,
        Action<SseTestOptions>? configure = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(requestUri);
        var options = new SseTestOptions();
        configure?.Invoke(options);
        var stream = new SseTestStream(client, requestUri, options);
        await stream.ConnectAsync(cancellationToken);
        return stream;
    }
}
