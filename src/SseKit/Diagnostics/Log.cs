using Microsoft.Extensions.Logging;

namespace SseKit.Diagnostics;

/// <summary>Everything that SseKit logs. Ids are stable; an ordinary disconnect is never above Debug.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Error, "The source of the event stream {Path} failed; the stream was ended so that the client reconnects.", EventName = "StreamFailed")]
    public static partial void StreamFailed(ILogger logger, string path, Exception exception);

    [LoggerMessage(2, LogLevel.Debug, "The source of the event stream {Path} failed after the stream had ended.", EventName = "SourceFailedAfterEnd")]
    public static partial void SourceFailedAfterEnd(ILogger logger, string path, Exception exception);

    [LoggerMessage(3, LogLevel.Debug, "The event stream {Path} ended: {Reason}.", EventName = "StreamEnded")]
    public static partial void StreamEnded(ILogger logger, string path, string reason);

    [LoggerMessage(4, LogLevel.Debug, "The event stream {Path} asked for a topic that can't be: no topic, or a name that is not 1 to 256 bytes of UTF-8 without control characters.", EventName = "NoTopic")]
    public static partial void NoTopic(ILogger logger, string path);

    [LoggerMessage(5, LogLevel.Warning, "The output cache was about to store the event stream {Path}; it was kept from it. Requests for the same stream may still queue behind each other: declare the endpoint's return type as EventSourceResult, or remove CacheOutput from it.", EventName = "OutputCacheRefused")]
    public static partial void OutputCacheRefused(ILogger logger, string path);

    [LoggerMessage(6, LogLevel.Warning, "The backlog could not be read for topic {Topic}; its subscribers stay, and it is tried again.", EventName = "FeedFailed")]
    public static partial void FeedFailed(ILogger logger, string topic, Exception exception);

    [LoggerMessage(7, LogLevel.Debug, "The event stream {Path} was refused: {Reason}.", EventName = "StreamRefused")]
    public static partial void StreamRefused(ILogger logger, string path, string reason);

    [LoggerMessage(8, LogLevel.Debug, "The client of the event stream {Path} has read nothing for {WriteTimeout}; it was cut off.", EventName = "ClientStalled")]
    public static partial void ClientStalled(ILogger logger, string path, TimeSpan writeTimeout);

    [LoggerMessage(9, LogLevel.Error, "OnError of the event stream {Path} failed itself.", EventName = "HookFailed")]
    public static partial void HookFailed(ILogger logger, string path, Exception exception);

    [LoggerMessage(10, LogLevel.Debug, "A keep-alive could not be written to the event stream {Path}; it gets no more of them.", EventName = "KeepAliveFailed")]
    public static partial void KeepAliveFailed(ILogger logger, string path, Exception exception);

    [LoggerMessage(11, LogLevel.Warning, "This node does not hear yet of streams that are ended on other nodes; it tries again.", EventName = "EndingsUnheard")]
    public static partial void EndingsUnheard(ILogger logger, Exception exception);

    [LoggerMessage(30, LogLevel.Error, "The producer of topic {Topic} failed; its readers are told.", EventName = "ProducerFailed")]
    public static partial void ProducerFailed(ILogger logger, string topic, Exception exception);

    [LoggerMessage(31, LogLevel.Warning, "The producer of topic {Topic} has lost its lease, because this process stood still or the store was away for too long; it was ended here, and its topic is another's.", EventName = "ProducerFenced")]
    public static partial void ProducerFenced(ILogger logger, string topic);

    [LoggerMessage(32, LogLevel.Information, "The producer of topic {Topic} was cancelled, because nobody listens any more.", EventName = "ProducerAbandoned")]
    public static partial void ProducerAbandoned(ILogger logger, string topic);

    [LoggerMessage(33, LogLevel.Warning, "The process that ran the producer of topic {Topic} stopped or died; {WhatNow}.", EventName = "ProducerTakenOver")]
    public static partial void ProducerTakenOver(ILogger logger, string topic, string whatNow);

    [LoggerMessage(34, LogLevel.Warning, "The producer of topic {Topic} could not publish; it waits and tries again.", EventName = "ProducerWaits")]
    public static partial void ProducerWaits(ILogger logger, string topic, Exception exception);

    [LoggerMessage(35, LogLevel.Debug, "The lease of the producer of topic {Topic} could not be looked after; it is tried again.", EventName = "LeaseFailed")]
    public static partial void LeaseFailed(ILogger logger, string topic, Exception exception);

    [LoggerMessage(36, LogLevel.Error, "OnFailure of the producer of topic {Topic} failed itself.", EventName = "ProducerHookFailed")]
    public static partial void ProducerHookFailed(ILogger logger, string topic, Exception exception);

    [LoggerMessage(37, LogLevel.Debug, "The source of the producer of topic {Topic}, or its scope, failed after its end.", EventName = "ProducerLeftLate")]
    public static partial void ProducerLeftLate(ILogger logger, string topic, Exception exception);
}
