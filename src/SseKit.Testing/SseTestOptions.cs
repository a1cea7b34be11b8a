namespace SseKit.Testing;

/// <summary>How a test reads a stream.</summary>
public sealed class SseTestOptions
{
    /// <summary>The id with which the first request resumes, in the header <c>Last-Event-ID</c>. Default null: none.</summary>
    public string? LastEventId { get; set; }

    /// <summary>
    /// How long each wait may take, for the headers as for the next item, before it fails with a <see cref="TimeoutException"/>. Default 30 s;
    /// <see cref="Timeout.InfiniteTimeSpan"/> for no limit. A test should never depend on it, so it is long.
    /// </summary>
    public TimeSpan Guard { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The clock of <see cref="Guard"/>. Default the machine's, also where the app runs on a fake one: then a wait in vain still ends.</summary>
    public TimeProvider GuardTime { get; set; } = TimeProvider.System;

    /// <summary>Completes each request, the first and those of reconnects: headers, a cookie, another method, a body. Default null.</summary>
    public Action<HttpRequestMessage>? Request { get; set; }
}
