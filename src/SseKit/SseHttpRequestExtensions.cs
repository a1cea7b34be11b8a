namespace Microsoft.AspNetCore.Http;

/// <summary>Reads where a client of an event stream wants to go on.</summary>
public static class SseHttpRequestExtensions
{
    /// <summary>
    /// The id of the last event that the client has: from the header <c>Last-Event-ID</c>, else from the query <c>lastEventId</c>, for clients
    /// that can't set headers and for the first request of a page that was rendered with a position.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <returns>
    /// What the client sent, unchecked, or null where it sent nothing. Several headers come joined by a comma, which is no id of SseKit's: a
    /// topic answers with a gap.
    /// </returns>
    /// <remarks>WHATWG HTML, section 9.2.4: https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header</remarks>
    public static string? GetLastEventId(this HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var id = request.Headers["Last-Event-ID"].ToString();
        if (id.Length == 0)
        {
            id = request.Query["lastEventId"].ToString();
        }

        return id.Length == 0 ? null : id;
    }
}
