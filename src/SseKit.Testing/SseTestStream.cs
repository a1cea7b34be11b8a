using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;

namespace SseKit.Testing;

/// <summary>
/// An event stream as its client sees it, over one connection or several: read it, cut it, let it come back. Made by
/// <see cref="SseHttpClientExtensions.OpenSseAsync"/>. For one reader at a time.
/// </summary>
/// <remarks>
/// It reads when it is asked for the next item, so a test that does not read is a client that does not read. Every wait is guarded by
/// <see cref="SseTestOptions.Guard"/>; one that was in vain leaves the stream as it is.
/// </remarks>
[SuppressMessage("Naming", "CA1711:Identifiers should not have incorrect suffix", Justification = "An event stream is what the format itself calls it.")]
public sealed class SseTestStream : IAsyncDisposable
{
    private static readonly TimeSpan BetweenAdvances = TimeSpan.FromMilliseconds(5);

    private readonly HttpClient _client;
    private readonly string _requestUri;
    private readonly SseTestOptions _options;
    private readonly List<SseTestItem> _received = [];
    private readonly byte[] _buffer = new byte[16 * 1024];
    private StreamParser _parser;
    private Connection? _connection;
    private int _handedOut;

    internal SseTestStream(HttpClient client, string requestUri, SseTestOptions options)
    {
        _client = client;
        _requestUri = requestUri;
        _options = options;
        _parser = new StreamParser(options.LastEventId ?? "", _received.Add);
    }

    /// <summary>The newest answer: status and headers.</summary>
    public HttpResponseMessage Response => _connection!.Response;

    /// <summary>The status of the newest answer.</summary>
    public HttpStatusCode StatusCode => Response.StatusCode;

    /// <summary>The <c>Content-Type</c> of the newest answer, with its parameters; null where it has none.</summary>
    public string? ContentType => Response.Content.Headers.ContentType?.ToString();

    /// <summary>
    /// Whether an EventSource that got the newest answer would stay away for good: any status but 200, 204 among them, and any media type but
    /// <c>text/event-stream</c>. It would come back after anything else.
    /// </summary>
    public bool StaysAway => StatusCode != HttpStatusCode.OK || Response.Content.Headers.ContentType?.MediaType != "text/event-stream";

    /// <summary>What <see cref="ReconnectAsync"/> sends as <c>Last-Event-ID</c>; empty where no block that has arrived whole had an id.</summary>
    public string LastEventId => _parser.LastEventId;

    /// <summary>How long the newest <c>retry:</c> tells a client to wait before it comes back; null where there was none.</summary>
    public TimeSpan? ReconnectionInterval { get; private set; }

    /// <summary>Everything that has arrived so far, over all connections, in order; also what the test has not asked for yet.</summary>
    public IReadOnlyList<SseTestItem> Received => _received;

    /// <summary>The bytes of the newest connection, as far as they were read.</summary>
    public ReadOnlyMemory<byte> Bytes => _connection!.Raw.WrittenMemory;

    /// <summary>The same as text.</summary>
    public string Text => Encoding.UTF8.GetString(Bytes.Span);

    /// <summary>Waits for the next event; comments and blocks without data are passed over.</summary>
    /// <param name="cancellationToken">Ends the wait, not the stream.</param>
    /// <returns>The event.</returns>
    /// <exception cref="TimeoutException">None came within <see cref="SseTestOptions.Guard"/>; the message tells what did.</exception>
    /// <exception cref="EndOfStreamException">The stream has ended in good order; the message tells what came before.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    /// <exception cref="InvalidOperationException">The answer is no event stream, or the stream was cut.</exception>
    public async Task<SseTestItem> NextEventAsync(CancellationToken cancellationToken = default) =>
        await TryNextAsync(IsEvent, cancellationToken) ?? throw Ended("event");

    /// <summary>Waits for whatever comes next: an event, a comment, a block without data.</summary>
    /// <param name="cancellationToken">Ends the wait, not the stream.</param>
    /// <returns>The item.</returns>
    /// <exception cref="TimeoutException">Nothing came within <see cref="SseTestOptions.Guard"/>; the message tells what did before.</exception>
    /// <exception cref="EndOfStreamException">The stream has ended in good order; the message tells what came before.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    /// <exception cref="InvalidOperationException">The answer is no event stream, or the stream was cut.</exception>
    public async Task<SseTestItem> NextAsync(CancellationToken cancellationToken = default) =>
        await TryNextAsync(_ => true, cancellationToken) ?? throw Ended("item");

    /// <summary>Waits for the next comment, such as a keep-alive; what comes before it is passed over.</summary>
    /// <param name="advance">
    /// Called again and again during the wait: moves the app's fake clock on, <c>() => time.Advance(TimeSpan.FromSeconds(1))</c>. Once would not
    /// do, since nobody knows whether the app has begun to count by then. Null: the clock moves by itself.
    /// </param>
    /// <param name="cancellationToken">Ends the wait, not the stream.</param>
    /// <returns>The comment.</returns>
    /// <exception cref="TimeoutException">None came within <see cref="SseTestOptions.Guard"/>; the message tells what did.</exception>
    /// <exception cref="EndOfStreamException">The stream has ended in good order; the message tells what came before.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    /// <exception cref="InvalidOperationException">The answer is no event stream, or the stream was cut.</exception>
    public async Task<SseTestItem> NextCommentAsync(Action? advance = null, CancellationToken cancellationToken = default)
    {
        var next = TryNextAsync(item => item.Kind == SseTestItemKind.Comment, cancellationToken);
        while (advance is not null && !next.IsCompleted)
        {
            advance();
            await Task.WhenAny(next, Task.Delay(BetweenAdvances, cancellationToken));
        }

        return await next ?? throw Ended("comment");
    }

    /// <summary>The events from here on, until the stream ends in good order; comments and blocks without data are passed over.</summary>
    /// <param name="cancellationToken">Ends the reading, not the stream.</param>
    /// <returns>The events; each wait for one throws as <see cref="NextEventAsync"/> does, but for the end.</returns>
    public IAsyncEnumerable<SseTestItem> ReadEventsAsync(CancellationToken cancellationToken = default) => ReadAsync(IsEvent, cancellationToken);

    /// <summary>Everything from here on, until the stream ends in good order.</summary>
    /// <param name="cancellationToken">Ends the reading, not the stream.</param>
    /// <returns>The items; each wait for one throws as <see cref="NextAsync"/> does, but for the end.</returns>
    public IAsyncEnumerable<SseTestItem> ReadAllAsync(CancellationToken cancellationToken = default) => ReadAsync(_ => true, cancellationToken);

    /// <summary>Waits for the end of the stream, in good order; anything else fails.</summary>
    /// <param name="cancellationToken">Ends the wait, not the stream.</param>
    /// <returns>Everything that came before it and was not asked for.</returns>
    /// <exception cref="TimeoutException">Nothing came within <see cref="SseTestOptions.Guard"/>, not even the end.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    /// <exception cref="InvalidOperationException">The answer is no event stream, or the stream was cut.</exception>
    public async Task<IReadOnlyList<SseTestItem>> ReadToEndAsync(CancellationToken cancellationToken = default)
    {
        var rest = new List<SseTestItem>();
        await foreach (var item in ReadAllAsync(cancellationToken))
        {
            rest.Add(item);
        }

        return rest;
    }

    /// <summary>
    /// Drops the connection, as a lost network would, wherever the stream is. What has arrived and was not asked for can still be read; what
    /// had not arrived is lost.
    /// </summary>
    public void Cut() => _connection?.Cut(_buffer);

    /// <summary>
    /// Comes back as a browser would, with the last id: cuts what is still open and asks again. It does not wait for
    /// <see cref="ReconnectionInterval"/>.
    /// </summary>
    /// <param name="cancellationToken">Ends the attempt, not the stream.</param>
    /// <returns>Completes when the headers are here. Look at <see cref="StaysAway"/>, or read on.</returns>
    /// <exception cref="InvalidOperationException">A browser would stay away: see <see cref="StaysAway"/>.</exception>
    /// <exception cref="TimeoutException">No headers came within <see cref="SseTestOptions.Guard"/>.</exception>
    /// <exception cref="HttpRequestException">There was no answer.</exception>
    public Task ReconnectAsync(CancellationToken cancellationToken = default)
    {
        if (StaysAway)
        {
            throw new InvalidOperationException($"A browser would not come back: {_connection!.Answer}. Open a new stream to try all the same.");
        }

        Cut();
        return ConnectAsync(cancellationToken);
    }

    /// <summary>Leaves, as a client does that closes the stream.</summary>
    /// <returns>Completes at once.</returns>
    public ValueTask DisposeAsync()
    {
        Cut();
        return default;
    }

    [SuppressMessage("Reliability", "CA2000:Dispose objects before losing scope", Justification = "A request without a body holds nothing; one with a body is its owner's.")]
    internal async Task ConnectAsync(CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, _requestUri)
        {
            Version = _client.DefaultRequestVersion,
            VersionPolicy = _client.DefaultVersionPolicy,
        };

        // What an EventSource sends.
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        request.Headers.CacheControl = new CacheControlHeaderValue { NoCache = true };
        if (LastEventId.Length > 0)
        {
            // As it is: a test may come back with anything.
            request.Headers.TryAddWithoutValidation("Last-Event-ID", LastEventId);
        }

        _options.Request?.Invoke(request);
        using var guard = new CancellationTokenSource(_options.Guard, _options.GuardTime);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(guard.Token, cancellationToken);
        try
        {
            var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            _connection = new Connection($"{request.Method} {_requestUri}", response, await response.Content.ReadAsStreamAsync(either.Token));
        }
        catch (OperationCanceledException) when (guard.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{request.Method} {_requestUri} got no headers within {_options.Guard}. {Story()}");
        }

        _parser = new StreamParser(LastEventId, _received.Add);
    }

    private static bool IsEvent(SseTestItem item) => item.Kind == SseTestItemKind.Event;

    private async IAsyncEnumerable<SseTestItem> ReadAsync(Func<SseTestItem, bool> wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await TryNextAsync(wanted, cancellationToken) is { } item)
        {
            yield return item;
        }
    }

    /// <summary>The next item that is wanted; null at the end of the stream.</summary>
    private async Task<SseTestItem?> TryNextAsync(Func<SseTestItem, bool> wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            while (_handedOut < _received.Count)
            {
                var item = _received[_handedOut++];
                if (wanted(item))
                {
                    return item;
                }
            }

            if (!await ReadMoreAsync(cancellationToken))
            {
                return null;
            }
        }
    }

    private async Task<bool> ReadMoreAsync(CancellationToken cancellationToken)
    {
        var connection = _connection!;
        if (connection.IsCut)
        {
            throw new InvalidOperationException($"The stream was cut; ReconnectAsync brings it back. {Story()}");
        }

        if (StaysAway)
        {
            var body = await Response.Content.ReadAsStringAsync(cancellationToken).WaitAsync(_options.Guard, _options.GuardTime, cancellationToken);
            throw new InvalidOperationException($"No event stream: {connection.Answer}.{(body.Length > 0 ? $" It says: {body[..Math.Min(body.Length, 1_000)]}" : "")}");
        }

        var reading = connection.ReadAsync(_buffer);
        try
        {
            await reading.WaitAsync(_options.Guard, _options.GuardTime, cancellationToken);
        }
        catch (TimeoutException) when (!reading.IsCompleted)
        {
            throw new TimeoutException($"Nothing came within {_options.Guard} from {connection.Request}. {Story()}");
        }
        catch (Exception exception) when (reading.IsFaulted || (reading.IsCanceled && !cancellationToken.IsCancellationRequested))
        {
            throw new IOException($"The connection broke: {exception.Message} {Story()}", exception);
        }

        var bytes = _buffer.AsSpan(0, connection.TakeRead());
        connection.Raw.Write(bytes);
        _parser.Feed(bytes);
        ReconnectionInterval = _parser.ReconnectionInterval ?? ReconnectionInterval;
        return bytes.Length > 0;
    }

    private EndOfStreamException Ended(string what) => new($"The stream has ended before the next {what}. {Story()}");

    private string Story()
    {
        const int Shown = 20;
        return _received.Count == 0
            ? "Nothing had arrived before."
            : $"Arrived so far{(_received.Count > Shown ? $", the last {Shown} of {_received.Count}" : "")}:\n{string.Join('\n', _received.TakeLast(Shown).Select(item => $"  {item}"))}";
    }

    /// <summary>One answer and what was read of it. A read that was begun is kept: a wait for it that ends early must not end the stream.</summary>
    [SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "Without a timer and without links a source of tokens holds nothing.")]
    private sealed class Connection(string request, HttpResponseMessage response, Stream body)
    {
        private readonly CancellationTokenSource _cut = new();
        private Task<int>? _reading;

        public string Request => request;

        public HttpResponseMessage Response => response;

        public string Answer => $"{request} was answered with {(int)response.StatusCode} and {response.Content.Headers.ContentType?.ToString() ?? "no content type"}";

        public ArrayBufferWriter<byte> Raw { get; } = new();

        public bool IsCut => _cut.IsCancellationRequested;

        public Task<int> ReadAsync(byte[] buffer) => _reading ??= body.ReadAsync(buffer, _cut.Token).AsTask();

        public int TakeRead()
        {
            var count = _reading!.Result;
            if (count > 0)
            {
                // At the end the read stays: whoever asks again gets the end again.
                _reading = null;
            }

            return count;
        }

        /// <summary>
        /// Cancels a read that is under way, which closes the connection there and then. A response that is merely disposed of is first read on
        /// for up to two seconds, in the hope to use its connection again.
        /// </summary>
        public void Cut(byte[] buffer)
        {
            if (IsCut)
            {
                return;
            }

            // What is at hand has not arrived any more. A server that never stops sending is cut off by the disposal.
            for (var i = 0; i < 1_000 && ReadAsync(buffer) is { IsCompletedSuccessfully: true, Result: > 0 }; i++)
            {
                _reading = null;
            }

            _cut.Cancel();
            response.Dispose();
            _ = _reading?.ContinueWith(static read => _ = read.Exception, TaskScheduler.Default);
        }
    }
}
