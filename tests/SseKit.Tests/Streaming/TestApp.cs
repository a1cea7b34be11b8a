using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using SseKit.Streaming;

namespace SseKit.Tests.Streaming;

/// <summary>
/// An app on a real Kestrel (HTTP/1.1, HTTP/2 with or without TLS, HTTP/3) or on TestServer, with a client and with everything that it logs.
/// </summary>
internal sealed class TestApp : IAsyncDisposable
{
    private TestApp(WebApplication web, HttpClient client, LogList log)
    {
        Web = web;
        Client = client;
        Log = log;
    }

    public WebApplication Web { get; }

    public HttpClient Client { get; }

    public LogList Log { get; }

    public int Port => Client.BaseAddress!.Port;

    /// <summary>What the app's streams share, registered or not.</summary>
    public StreamHost Streams =>
        Web.Services.GetService<StreamHost>() ?? Web.Services.GetRequiredService<IServer>().Features.Get<StreamHost>()!;

    /// <summary>Starts Kestrel.</summary>
    public static async Task<TestApp> StartAsync(
        Action<WebApplication> map,
        string http = "1.1",
        Action<IServiceCollection>? services = null,
        FakeTimeProvider? time = null,
        X509Certificate2? certificate = null)
    {
        var version = Version.Parse(http);
        var (web, log) = Build(services, time, host => host.UseKestrelCore().UseKestrelHttpsConfiguration().UseQuic().UseSockets(sockets => sockets.CreateBoundListenSocket = endpoint =>
        {
            // Small, so that a client that does not read is soon felt.
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            socket.SendBufferSize = 4096;
            return socket;
        }).ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = version.Major switch
            {
                3 => HttpProtocols.Http3,
                2 => HttpProtocols.Http2,
                _ => HttpProtocols.Http1,
            };
            if (certificate is not null)
            {
                listen.UseHttps(certificate);
            }
        })));
        map(web);
        await web.StartAsync();
        var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            ResponseDrainTimeout = TimeSpan.Zero,
            SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => shown!.Equals(certificate) },
        })
        {
            BaseAddress = new Uri(web.Urls.Single()),
            DefaultRequestVersion = version,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        return new TestApp(web, client, log);
    }

    /// <summary>Starts TestServer, where neither timing nor connections matter.</summary>
    public static async Task<TestApp> StartInMemoryAsync(
        Action<WebApplication> map, Action<IServiceCollection>? services = null, FakeTimeProvider? time = null)
    {
        var (web, log) = Build(services, time, host => host.UseTestServer());
        map(web);
        await web.StartAsync();
        return new TestApp(web, web.GetTestClient(), log);
    }

    /// <summary>Builds the app without starting it.</summary>
    public static WebApplication BuildOnly(Action<IServiceCollection>? services = null) => Build(services, time: null, host => host.UseTestServer()).Web;

    /// <summary>Asks for a stream; completes when its headers are here.</summary>
    public async Task<ClientStream> OpenAsync(string path, string? lastEventId = null, string? accept = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path)
        {
            Version = Client.DefaultRequestVersion,
            VersionPolicy = Client.DefaultVersionPolicy,
        };
        if (lastEventId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }

        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept-Encoding", accept);
        }

        var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).Soon();
        return new ClientStream(response, await response.Content.ReadAsStreamAsync());
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Web.StopAsync().Soon();
        await Web.DisposeAsync();
    }

    private static (WebApplication Web, LogList Log) Build(Action<IServiceCollection>? services, FakeTimeProvider? time, Action<IWebHostBuilder> server)
    {
        // Without configuration files: each would be watched for changes, and there are many apps here.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { EnvironmentName = Environments.Production });
        server(builder.WebHost);
        var log = new LogList();
        builder.Services.AddRouting();
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(log));

        // Longer than any test waits: a stop that needs the host's timeout is seen as one that hangs.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(10));
        if (time is not null)
        {
            builder.Services.AddSingleton<TimeProvider>(time);
        }

        services?.Invoke(builder.Services);
        return (builder.Build(), log);
    }
}

/// <summary>A response as its client sees it arrive, without the comment that opens a stream which has to wait for its first event.</summary>
internal sealed class ClientStream(HttpResponseMessage response, Stream body) : IDisposable
{
    public const string Opening = ":\n";

    private readonly byte[] _buffer = new byte[64 * 1024];
    private string _arrived = "";
    private bool _hasBegun;

    public HttpResponseMessage Response => response;

    public HttpStatusCode Status => response.StatusCode;

    /// <summary>Reads on until what arrived since the last read ends with <paramref name="end"/>, and returns it.</summary>
    public async Task<string> ReadToAsync(string end)
    {
        while (true)
        {
            var at = _arrived.IndexOf(end, StringComparison.Ordinal);
            if (at >= 0)
            {
                var text = _arrived[..(at + end.Length)];
                _arrived = _arrived[(at + end.Length)..];
                return text;
            }

            var count = await body.ReadAsync(_buffer).AsTask().Soon($"'{end}' in the stream; so far '{_arrived}'");
            Assert.True(count > 0, $"The stream ended before '{end}', after '{_arrived}'.");
            _arrived = WithoutOpening(_arrived + Encoding.UTF8.GetString(_buffer, 0, count));
        }
    }

    /// <summary>Reads exactly <paramref name="text"/>.</summary>
    public async Task ExpectAsync(string text) => Assert.Equal(text, await ReadToAsync(text[^1..] == "\n" && text.EndsWith("\n\n", StringComparison.Ordinal) ? "\n\n" : "\n"));

    /// <summary>The rest, until the server's clean end; anything but a clean end throws.</summary>
    public async Task<string> ReadToEndAsync()
    {
        using var reader = new StreamReader(body, leaveOpen: true);
        return WithoutOpening(_arrived + await reader.ReadToEndAsync().Soon("the end of the stream"));
    }

    public void Dispose() => response.Dispose();

    private string WithoutOpening(string text)
    {
        if (_hasBegun || text.Length < Opening.Length)
        {
            return text;
        }

        _hasBegun = true;
        return text.StartsWith(Opening, StringComparison.Ordinal) ? text[Opening.Length..] : text;
    }
}

internal static class Waiting
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(30);

    public static Task Soon(this Task task, [CallerArgumentExpression(nameof(task))] string? what = null) => WithinAsync(task, what);

    public static async Task<T> Soon<T>(this Task<T> task, [CallerArgumentExpression(nameof(task))] string? what = null)
    {
        await WithinAsync(task, what);
        return await task;
    }

    public static async Task Until(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string? what = null)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > Guard)
            {
                throw new TimeoutException($"Waited in vain for: {what}");
            }

            await Task.Delay(5);
        }
    }

    private static async Task WithinAsync(Task task, string? what)
    {
        try
        {
            await task.WaitAsync(Guard);
        }
        catch (TimeoutException) when (!task.IsCompleted)
        {
            throw new TimeoutException($"Waited in vain for: {what}");
        }
    }
}
