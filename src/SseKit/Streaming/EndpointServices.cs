namespace SseKit.Streaming;

/// <summary>On an endpoint that is known beforehand to answer with an event stream: the services of its app.</summary>
internal sealed class EndpointServices(IServiceProvider services)
{
    private StreamHost? _host;

    /// <summary>The host of the app's streams; looked for with the first request, when all is there. Null where it has none of its own.</summary>
    public StreamHost? Host => _host ??= StreamHost.Find(services);
}
