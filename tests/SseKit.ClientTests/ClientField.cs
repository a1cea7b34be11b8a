using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using SseKit.ClientTests;

[assembly: AssemblyFixture(typeof(ClientField))]

namespace SseKit.ClientTests;

/// <summary>One server and one run of each kind of client for the whole project: what it takes is mostly waiting, so all wait at once.</summary>
public sealed class ClientField : IAsyncLifetime
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<(string Client, string Source), TaskCompletionSource<Seen>> _seen = [];
    private Task[] _runs = [];
    private StreamServer? _server;

    internal StreamServer Server => _server!;

    internal static string ClientFolder => Path.Combine(Folder(), "clients");

    public async ValueTask InitializeAsync()
    {
        _server = await StreamServer.StartAsync(ClientFolder);
        _runs =
        [
            RunAsync(Clients.InBrowser, report => BrowserRun.RunAsync(_server.Port, ClientFolder, report, _stop.Token)),
            RunAsync(Clients.InNode, report => NodeRun.RunAsync(_server.Address, ClientFolder, report, _stop.Token)),
            RunAsync([Clients.SseParser], report => ParserRun.RunAsync(_server.Address, report, _stop.Token)),
        ];
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_runs);
        await Server.DisposeAsync();
        _stop.Dispose();
    }

    internal static string Folder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    internal Task<Seen> SeenAsync(string client, string source) =>
        Report(client, source).Task.WaitAsync(TimeSpan.FromSeconds(90), TestContext.Current.CancellationToken);

    private TaskCompletionSource<Seen> Report(string client, string source) =>
        _seen.GetOrAdd((client, source), _ => new TaskCompletionSource<Seen>(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task RunAsync(string[] clients, Func<Action<Seen>, Task> run)
    {
        Exception failure = new InvalidOperationException("The run ended without a word about this stream.");
        try
        {
            await Task.Run(() => run(seen => Report(seen.Client, seen.Source).TrySetResult(seen)));
        }
        catch (Exception exception)
        {
            // To each test that waits: a missing tool skips them one by one.
            failure = exception;
        }

        foreach (var client in clients)
        {
            foreach (var stream in Streams.For(client))
            {
                Report(client, stream.ToString()).TrySetException(failure);
            }
        }
    }
}
