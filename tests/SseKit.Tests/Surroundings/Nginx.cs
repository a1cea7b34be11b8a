using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using SseKit.Tests.Guide;
using SseKit.Tests.Tools;

namespace SseKit.Tests.Surroundings;

/// <summary>A real nginx in front of an app, with one of the sites that the guide shows, and a folder of its own for all that it writes.</summary>
internal sealed class Nginx : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _folder = Directory.CreateTempSubdirectory("nginx-").FullName;
    private Process? _process;

    private Nginx()
    {
    }

    public int Port { get; private set; }

    public string Url { get; private set; } = "";

    /// <summary>Starts it.</summary>
    /// <param name="site">The name of the site in the guide.</param>
    /// <param name="app">The port of the app.</param>
    /// <param name="also">Directives of the http block around it, such as a timeout that a test can wait for.</param>
    /// <param name="edit">What is different from the guide.</param>
    public static async Task<Nginx> StartAsync(string site, int app, string also = "", Func<string, string>? edit = null)
    {
        var text = GuidePage.Block("proxies.md", $"nginx, {site}");
        text = Replace(edit?.Invoke(text) ?? text, "http://127.0.0.1:5000", $"http://127.0.0.1:{app}");
        var program = TestTool.Require("nginx", "SSEKIT_NGINX", "Get it with: apt-get install nginx. Debian keeps it in /usr/sbin, which has to be on PATH.");

        // It is told its port before it has it, so somebody else may be faster.
        for (var attempt = 0; ; attempt++)
        {
            var nginx = new Nginx();
            if (await nginx.TryStartAsync(program, text, also))
            {
                return nginx;
            }

            var log = nginx.ErrorLog();
            await nginx.DisposeAsync();
            Assert.True(attempt < 5, $"nginx does not start:\n{log}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None).WaitAsync(Patience, CancellationToken.None);
            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static string Replace(string site, string text, string by)
    {
        Assert.Contains(text, site, StringComparison.Ordinal);
        return site.Replace(text, by, StringComparison.Ordinal);
    }

    private static int FreePort()
    {
        // Below the ports that systems hand out by themselves.
        var taken = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Select(endpoint => endpoint.Port).ToHashSet();
        int port;
        do
        {
            port = Random.Shared.Next(20_000, 30_000);
        }
        while (taken.Contains(port));

        return port;
    }

    private async Task<bool> TryStartAsync(string program, string site, string also)
    {
        Port = FreePort();
        if (site.Contains("listen 443 ssl", StringComparison.Ordinal))
        {
            Url = $"https://127.0.0.1:{Port}";
            await File.WriteAllTextAsync(Path.Combine(_folder, "site.pem"), TestCertificate.Loopback.ExportCertificatePem());
            await File.WriteAllTextAsync(Path.Combine(_folder, "site.key"), TestCertificate.Loopback.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
            site = Replace(Replace(site, "listen 443", $"listen 127.0.0.1:{Port}"), "/etc/ssl/", $"{_folder}/");
        }
        else
        {
            Url = $"http://127.0.0.1:{Port}";
            site = Replace(site, "listen 80", $"listen 127.0.0.1:{Port}");
        }

        // A worker of root's nginx would be nobody, who may not write here.
        var user = Environment.UserName == "root" ? "user root;" : "";
        var configuration = Path.Combine(_folder, "nginx.conf");
        await File.WriteAllTextAsync(configuration, $$"""
            {{user}}
            daemon off;
            pid {{_folder}}/pid;
            events { }
            http {
              access_log off;
              client_body_temp_path {{_folder}}/body;
              proxy_temp_path {{_folder}}/proxy;
              fastcgi_temp_path {{_folder}}/fastcgi;
              uwsgi_temp_path {{_folder}}/uwsgi;
              scgi_temp_path {{_folder}}/scgi;
              {{also}}
            {{site}}
            }
            """);
        _process = Process.Start(program, ["-p", _folder, "-c", configuration, "-e", Path.Combine(_folder, "error.log")]);
        for (var started = Stopwatch.GetTimestamp(); !_process.HasExited && Stopwatch.GetElapsedTime(started) < Patience;)
        {
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await probe.ConnectAsync(IPAddress.Loopback, Port, TestContext.Current.CancellationToken);
                return !_process.HasExited;
            }
            catch (SocketException)
            {
                await Task.Delay(10, TestContext.Current.CancellationToken);
            }
        }

        return false;
    }

    private string ErrorLog()
    {
        var path = Path.Combine(_folder, "error.log");
        return File.Exists(path) ? File.ReadAllText(path) : "It wrote nothing.";
    }
}
