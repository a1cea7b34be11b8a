namespace SseKit.ClientTests;

/// <summary>The clients that are tried, by the names that the scripts report them under.</summary>
internal static class Clients
{
    public const string Chromium = "chromium";
    public const string FetchEventSource = "fetch-event-source";
    public const string MendedFetchEventSource = "fetch-event-source, mended";
    public const string EventSource = "eventsource";
    public const string EventSourceClient = "eventsource-client";
    public const string EventSourceParser = "eventsource-parser";
    public const string Undici = "undici";
    public const string SseParser = "SseParser";

    public static readonly string[] InBrowser = [Chromium, FetchEventSource, MendedFetchEventSource];
    public static readonly string[] InNode = [EventSource, EventSourceClient, EventSourceParser, Undici];
    public static readonly string[] All = [.. InBrowser, .. InNode, SseParser];
}
