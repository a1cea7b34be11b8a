using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.Routing;

namespace SseKit.Streaming;

/// <summary>What an endpoint says of itself when it is known beforehand to answer with an event stream.</summary>
internal static class StreamMetadata
{
    public static void Add(EndpointBuilder builder, Type? payload)
    {
        AddProduces(builder, payload);
        AddServices(builder);
        RefuseWithoutRedirect(builder);
        Bypass(builder);
    }

    /// <summary>Spares the endpoint's requests a scope of services.</summary>
    public static void AddServices(EndpointBuilder builder) => builder.Metadata.Add(new StreamHost.EndpointHost(builder.ApplicationServices));

    /// <summary>
    /// Describes an endpoint that has no handler method to be described by. The method is that of a lambda, so that no type of this library
    /// shows in the description.
    /// </summary>
    public static void Describe(EndpointBuilder builder, MethodInfo handler)
    {
        builder.Metadata.Add(handler);
        foreach (var parameter in ((RouteEndpointBuilder)builder).RoutePattern.Parameters)
        {
            builder.Metadata.Add(new RouteParameter(parameter, handler));
        }
    }

    /// <summary>Says what a described endpoint sends: what the app named with <c>Produces</c>, else text.</summary>
    public static void DescribePayload(EndpointBuilder builder)
    {
        Type? payload = null;
        for (var i = builder.Metadata.Count - 1; i >= 0; i--)
        {
            if (builder.Metadata[i] is IProducesResponseTypeMetadata { StatusCode: StatusCodes.Status200OK } said)
            {
                payload ??= said.Type;
                builder.Metadata.RemoveAt(i);
            }
        }

        AddProduces(builder, payload);
    }

    /// <summary>Takes an endpoint's names, which must be unique.</summary>
    public static void RemoveNames(EndpointBuilder builder)
    {
        for (var i = builder.Metadata.Count - 1; i >= 0; i--)
        {
            if (builder.Metadata[i] is IEndpointNameMetadata or IRouteNameMetadata)
            {
                builder.Metadata.RemoveAt(i);
            }
        }
    }

    /// <summary>
    /// Keeps the output cache off the endpoint. The attribute, not a policy: the middleware asks for one policy (the last, so a later
    /// <c>CacheOutput()</c> would win) and then for one attribute, which has the last word.
    /// </summary>
    public static void Bypass(EndpointBuilder builder) => builder.Metadata.Add(new OutputCacheAttribute { NoStore = true });

    /// <summary>
    /// Lets cookie authentication answer 401 and 403 where it would send a page to its login: no client of a stream can do anything with that
    /// page, and one on top of fetch would take it for the stream.
    /// </summary>
    public static void RefuseWithoutRedirect(EndpointBuilder builder) => builder.Metadata.Add(NoCookieRedirect.Instance);

    private static void AddProduces(EndpointBuilder builder, Type? payload) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, payload ?? typeof(string), [ResponsePreamble.ContentType]));

    private sealed class NoCookieRedirect : IDisableCookieRedirectMetadata
    {
        public static readonly NoCookieRedirect Instance = new();
    }
}
