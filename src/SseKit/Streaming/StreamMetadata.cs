using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;

namespace SseKit.Streaming;

/// <summary>What an endpoint says of itself when it is known beforehand to answer with an event stream.</summary>
internal static class StreamMetadata
{
    public static void Add(EndpointBuilder builder, Type? payload)
    {
        AddProduces(builder, payload);
        Bypass(builder);
    }

    public static void AddProduces(EndpointBuilder builder, Type? payload) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, payload ?? typeof(string), [ResponsePreamble.ContentType]));

    /// <summary>
    /// Keeps the output cache off the endpoint. The attribute, not a policy: the middleware asks for one policy (the last, so a later
    /// <c>CacheOutput()</c> would win) and then for one attribute, which has the last word.
    /// </summary>
    public static void Bypass(EndpointBuilder builder) => builder.Metadata.Add(new OutputCacheAttribute { NoStore = true });
}
