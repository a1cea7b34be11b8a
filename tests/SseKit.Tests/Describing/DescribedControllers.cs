using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using SseKit.Tests.Streaming;

namespace SseKit.Tests.Describing;

public sealed record Note(string Id, int Number)
{
    internal static IAsyncEnumerable<Note> Some(string id) => new[] { new Note(id, 1) }.ToAsyncEnumerable();
}

[ApiController, Route("described/api")]
[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "An action is an instance method.")]
public sealed class DescribedApi : ControllerBase
{
    [HttpGet("texts")]
    public EventSourceResult Texts() => new(Events.Of("a"));

    [HttpGet("values/{id}")]
    public EventSourceResult<Note> Values(string id) => EventSourceResult.From(Note.Some(id));

    [HttpGet("later")]
    public Task<EventSourceResult<Note>> Later() => Task.FromResult(EventSourceResult.From(Note.Some("a")));

    [HttpGet("union")]
    public Results<EventSourceResult<Note>, NotFound> Union(string id) => id == "" ? TypedResults.NotFound() : EventSourceResult.From(Note.Some(id));

    [HttpGet("untyped"), ProducesResponseType<Note>(StatusCodes.Status200OK, "text/event-stream")]
    public IActionResult Untyped() => EventSourceResult.From(Note.Some("a"));

    [HttpGet("both"), ProducesResponseType<Note>(StatusCodes.Status200OK, "text/event-stream"), ProducesResponseType(StatusCodes.Status404NotFound)]
    public EventSourceResult<Note> Both() => EventSourceResult.From(Note.Some("a"));
}

[Route("described/plain")]
[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "An action is an instance method.")]
public sealed class DescribedController : Controller
{
    [HttpGet("texts")]
    public EventSourceResult Texts() => new(Events.Of("a"));

    [HttpGet("values/{id}")]
    public EventSourceResult<Note> Values(string id) => EventSourceResult.From(Note.Some(id));

    [HttpGet("later")]
    public Task<EventSourceResult<Note>> Later() => Task.FromResult(EventSourceResult.From(Note.Some("a")));

    [HttpGet("union")]
    public Results<EventSourceResult<Note>, NotFound> Union(string id) => id == "" ? TypedResults.NotFound() : EventSourceResult.From(Note.Some(id));
}
