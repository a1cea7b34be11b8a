using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace SseKit.Benchmarks.Macro;

/// <summary>
/// nginx with nchan, as Debian packages it (<c>libnginx-mod-nchan</c>). One worker, which is the cheapest for it: with several, they tell each
/// other of every event.
/// </summary>
internal sealed class Nchan : IDisposable
{
    private const string Module = "/usr/lib/nginx/modules/ngx_nchan_module.so";
    private static readonly long TicksPerSecond = 100;

    private readonly string _folder = Directory.CreateTempSubdirectory("nchan-").FullName;
    private readonly Process _nginx;
    private readonly Socket _publisher = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _answers = new byte[64 * 1024];
    private long _sequence;

    public Nchan()
    {
        using (var probe = new TcpListener(System.Net.IPAddress.Loopback, 0))
        {
            probe.Start();
            Port = ((System.Net.IPEndPoint)probe.LocalEndpoint).Port;
        }

        var user = Environment.UserName == "root" ? "user root;" : "";
        File.WriteAllText(Path.Combine(_folder, "nginx.conf"), $$"""
            load_module {{Module}};
            {{user}}
            daemon off;
            worker_processes 1;
            worker_rlimit_nofile 30000;
            pid {{_folder}}/pid;
            error_log {{_folder}}/error.log;
            events { worker_connections 20000; }
            http {
              access_log off;
              client_body_temp_path {{_folder}}/body;
              proxy_temp_path {{_folder}}/proxy;
              fastcgi_temp_path {{_folder}}/fastcgi;
              uwsgi_temp_path {{_folder}}/uwsgi;
              scgi_temp_path {{_folder}}/scgi;
              keepalive_requests 100000000;
              nchan_shared_memory_size 256M;
              server {
                listen 0.0.0.0:{{Port}} backlog=4096;
                location = /publish { nchan_publisher; nchan_channel_id news; nchan_message_buffer_length 1000; }
                location = /nchan/topic { nchan_subscriber eventsource; nchan_channel_id news; nchan_subscriber_first_message newest; }
              }
            }
            """);
        _nginx = Process.Start(new ProcessStartInfo(Tools.Find("nginx")!, ["-p", _folder, "-c", Path.Combine(_folder, "nginx.conf")]) { RedirectStandardError = true })!;
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                _publisher.Connect("127.0.0.1", Port);
                return;
            }
            catch (SocketException) when (attempt < 200)
            {
                Thread.Sleep(25);
            }
        }
    }

    public static bool IsInstalled => Tools.Find("nginx") is not null && File.Exists(Module);

    public int Port { get; }

    /// <summary>CPU of nginx and its workers in microseconds.</summary>
    public double Cpu() => Family().Sum(CpuOf);

    public double Memory() => Family().Sum(id =>
        double.Parse(File.ReadAllText($"/proc/{id}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize);

    public void Publish(int count)
    {
        // A few in flight at once, so that a burst is one.
        for (var left = count; left > 0;)
        {
            var some = Math.Min(left, 50);
            var requests = new StringBuilder();
            for (var i = 0; i < some; i++)
            {
                requests.Append(CultureInfo.InvariantCulture,
                    $"POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: {Content.FanOutLength}\r\n\r\n{Content.FanOut(++_sequence, Stopwatch.GetTimestamp())}");
            }

            _publisher.Send(Encoding.ASCII.GetBytes(requests.ToString()));
            for (var answered = 0; answered < some;)
            {
                var length = _publisher.Receive(_answers);
                if (length == 0)
                {
                    throw new IOException("nginx closed the publisher's connection.");
                }

                answered += Encoding.ASCII.GetString(_answers, 0, length).Split("HTTP/1.1 20").Length - 1;
            }

            left -= some;
        }
    }

    public void Dispose()
    {
        _publisher.Dispose();
        _nginx.Kill(entireProcessTree: true);
        _nginx.WaitForExit();
        _nginx.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string[] Stat(string id)
    {
        var text = File.ReadAllText($"/proc/{id}/stat");
        return text[(text.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static double CpuOf(string id) =>
        (double.Parse(Stat(id)[11], CultureInfo.InvariantCulture) + double.Parse(Stat(id)[12], CultureInfo.InvariantCulture)) * 1e6 / TicksPerSecond;

    private List<string> Family()
    {
        var self = _nginx.Id.ToString(CultureInfo.InvariantCulture);
        var workers = File.ReadAllText($"/proc/{self}/task/{self}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return [self, .. workers];
    }
}
