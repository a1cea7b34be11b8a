using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using SseKit;
using SseKit.Diagnostics;
using SseKit.Streaming;
using SseKit.Topics;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps endpoints that answer with an event stream.</summary>
public static class SseEndpointRouteBuilderExtensions
{
    private static readonly string[] Get = [HttpMethods.Get];
    private static readonly string[] Head = [HttpMethods.Head];

    /// <summary>Maps an endpoint to a topic, for GET and HEAD. Needs <c>AddSse()</c>.</summary>
    /// <param name="endpoints">The app.</param>
    /// <param name="pattern">The route.</param>
    /// <param name="topic">The topic: 1–256 bytes of UTF-8 without control characters.</param>
    /// <param name="configure">Choices for this endpoint.</param>
    /// <returns>The endpoint, for <c>RequireAuthorization</c>, <c>RequireCors</c>, names, tags and the like.</returns>
    /// <exception cref="ArgumentException">The topic's name or a choice is not acceptable.</exception>
    /// <exception cref="InvalidOperationException"><c>AddSse()</c> was not called.</exception>
    public static RouteHandlerBuilder MapSse(
        this IEndpointRouteBuilder endpoints, [StringSyntax("Route")] string pattern, string topic, Action<SseStreamOptions>? configure = null)
    {
        TopicName.Check(topic);
        return endpoints.MapSse(pattern, _ => topic, configure);
    }

    /// <summary>Maps an endpoint to a topic that is computed from the request, for GET and HEAD. Needs <c>AddSse()</c>.</summary>
    /// <param name="endpoints">The app.</param>
    /// <param name="pattern">The route.</param>
    /// <param name="topic">Gives the topic; null, or a name that can't be, answers 404. Who may read it is for the endpoint to decide.</param>
    /// <param name="configure">Choices for this endpoint.</param>
    /// <returns>The endpoint, for <c>RequireAuthorization</c>, <c>RequireCors</c>, names, tags and the like.</returns>
    /// <exception cref="ArgumentException">A choice is not acceptable.</exception>
    /// <exception cref="InvalidOperationException"><c>AddSse()</c> was not called.</exception>
    public static RouteHandlerBuilder MapSse(
        this IEndpointRouteBuilder endpoints, [StringSyntax("Route")] string pattern, Func<HttpContext, string?> topic, Action<SseStreamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(topic);
        if (endpoints.ServiceProvider.GetService<SseTopics>() is null)
        {
            throw TopicDoor.Unregistered($"MapSse(\"{pattern}\", …) with a topic");
        }

        return Map(endpoints, pattern, StreamChoices.Of(configure), context =>
        {
            var name = topic(context);
            if (TopicName.IsValid(name))
            {
                return EventSourceResult.FromTopic(name, options: null).ExecuteAsync(context);
            }

            Log.NoTopic(StreamHost.Of(context).Logger, context.Request.Path);
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
    }

    /// <summary>Maps an endpoint to a sequence of events that is made for each request, for GET and HEAD.</summary>
    /// <param name="endpoints">The app.</param>
    /// <param name="pattern">The route.</param>
    /// <param name="source">
    /// Makes the sequence; <c>context.Request.GetLastEventId()</c> tells where the client wants to go on. Its token
    /// (<c>[EnumeratorCancellation]</c>) is cancelled when the client leaves and when the app stops.
    /// </param>
    /// <param name="configure">Choices for this endpoint.</param>
    /// <returns>The endpoint, for <c>RequireAuthorization</c>, <c>RequireCors</c>, names, tags and the like.</returns>
    /// <exception cref="ArgumentException">A choice is not acceptable.</exception>
    public static RouteHandlerBuilder MapSse(
        this IEndpointRouteBuilder endpoints,
        [StringSyntax("Route")] string pattern,
        Func<HttpContext, IAsyncEnumerable<SseEvent>> source,
        Action<SseStreamOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(source);
        return Map(endpoints, pattern, StreamChoices.Of(configure), context =>
            new EventSourceResult((_, _) => source(context)).ExecuteAsync(context));
    }

    private static RouteHandlerBuilder Map(IEndpointRouteBuilder endpoints, string pattern, SseStreamOptions? options, RequestDelegate handler)
    {
        var get = endpoints.MapMethods(pattern, Get, handler);
        get.Add(builder => StreamMetadata.Describe(builder, handler.Method));
        get.Finally(StreamMetadata.DescribePayload);

        // An endpoint of its own, undescribed: beside GET it would be the same operation, of the same name, once more.
        var head = endpoints.MapMethods(pattern, Head, handler);
        head.Finally(StreamMetadata.RemoveNames);

        IEndpointConventionBuilder[] both = [get, head];
        foreach (var endpoint in both)
        {
            if (options is not null)
            {
                endpoint.WithMetadata(options);
            }

            endpoint.Add(StreamMetadata.AddServices);
            endpoint.Add(StreamMetadata.RefuseWithoutRedirect);

            // Last of all: an OutputCache attribute that the app adds must not win over this one.
            endpoint.Finally(StreamMetadata.Bypass);
        }

        return new RouteHandlerBuilder(both);
    }
}
