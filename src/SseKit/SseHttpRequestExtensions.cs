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
        var id = request.Headers["Last-Event-ID"];
        if ((id.Count == 0 || (id.Count == 1 && string.IsNullOrEmpty(id[0]))) && request.QueryString.HasValue)
        {
            id = request.Query["lastEventId"];
        }

        // Not ToString, which leaves empty ones out: one of two would be taken for the client's id.
        var joined = id.Count == 1 ? id[0] : string.Join(',', id.ToArray());
        return string.IsNullOrEmpty(joined) ? null : joined;
    }
}
