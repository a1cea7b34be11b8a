using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace SseKit.Tests.Streaming;

/// <summary>Everything that an app logged.</summary>
internal sealed class LogList : ILoggerProvider
{
    private readonly ConcurrentQueue<LogLine> _lines = new();

    /// <summary>What SseKit logged.</summary>
    public IEnumerable<LogLine> Ours => _lines.Where(line => line.Category == "SseKit");

    /// <summary>What SseKit logged for everyone to see.</summary>
    public IEnumerable<LogLine> OursAboveDebug => Ours.Where(line => line.Level > LogLevel.Debug);

    /// <summary>What one of the framework's parts logged.</summary>
    public IEnumerable<LogLine> Of(string category) => _lines.Where(line => line.Category == category);

    /// <summary>Warnings and errors, whoever logged them.</summary>
    public IEnumerable<LogLine> Troubles => _lines.Where(line => line.Level >= LogLevel.Warning);

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
    }

    private sealed class Logger(LogList list, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            list._lines.Enqueue(new LogLine(category, logLevel, eventId, formatter(state, exception), exception));
    }
}

internal sealed record LogLine(string Category, LogLevel Level, EventId Id, string Message, Exception? Exception);
