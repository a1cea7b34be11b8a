using System.Collections.Concurrent;
using System.Globalization;
using System.Threading.Channels;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>One client's connection, and what it has been told.</summary>
internal sealed class ClientReader : IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    private readonly Channel<string> _said = Channel.CreateUnbounded<string>();
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<string, string> _ids = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;
    private int _keptAlive;

    public ClientReader(string address, string? lastEventId)
    {
        LastId = lastEventId;
        _reading = ReadAsync($"{address}/live");
    }

    public string? LastId { get; private set; }

    /// <summary>Whether it has been one connection from beginning to end.</summary>
    public bool IsConnected => !_reading.IsCompleted;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public string IdOf(string said) => _ids[said];

    /// <summary>Until the server has nothing more at hand for it: it keeps it alive.</summary>
    public async Task ConnectedAsync() => await _connected.Task.WaitAsync(Guard, Stop);

    public async Task KeptAliveAsync(int times)
    {
        var until = Volatile.Read(ref _keptAlive) + times;
        await Waiting.UntilAsync(() => Task.FromResult(Volatile.Read(ref _keptAlive) >= until));
    }

    public async Task<IReadOnlyList<string>> SayAsync(int count)
    {
        var said = new List<string>();
        while (said.Count < count)
        {
            try
            {
                said.Add(await _said.Reader.ReadAsync(Stop).AsTask().WaitAsync(Guard, Stop));
            }
            catch (TimeoutException)
            {
                Assert.Fail($"Nothing came any more after: {string.Join(", ", said)}");
            }
        }

        return said;
    }

    public async Task<IEnumerable<int>> TakeAsync(int count) => (await SayAsync(count)).Select(text => int.Parse(text, CultureInfo.InvariantCulture));

    /// <summary>All up to this one.</summary>
    public async Task<IReadOnlyList<int>> TakeToAsync(int last)
    {
        var taken = new List<int>();
        do
        {
            taken.AddRange(await TakeAsync(1));
        }
        while (taken[^1] != last);

        return taken;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ReadAsync(string url)
    {
        await foreach (var heard in EventClient.ListenAsync(url, LastId, _stop.Token))
        {
            if (heard.IsComment)
            {
                // The first one opens the stream, while the store may still be asked where it begins.
                if (Interlocked.Increment(ref _keptAlive) > 1)
                {
                    _connected.TrySetResult();
                }

                continue;
            }

            LastId = heard.Id ?? LastId;
            if (heard.Data is not null)
            {
                _ids[heard.Said] = heard.Id!;
                _said.Writer.TryWrite(heard.Said);
            }
        }

        _said.Writer.TryComplete(new IOException("The stream ended."));
    }
}
