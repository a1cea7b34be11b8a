using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace SseKit.StackExchangeRedis.Tests;

/// <summary>The network between a node and Redis: it can be cut, be led to another server, and lose an answer.</summary>
internal sealed class RedisProxy : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ConcurrentDictionary<Link, bool> _links = [];
    private readonly Task _accepting;
    private byte[]? _loseAnswerTo;
    private readonly ConcurrentBag<Socket> _held = [];
    private volatile bool _cut;
    private volatile bool _silent;
    private int _target;

    public RedisProxy(RedisServer server)
    {
        _target = server.Port;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public string Address => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}";

    /// <summary>Called when an answer was lost, before the connection breaks.</summary>
    public Func<Task> OnLost { get; set; } = () => Task.CompletedTask;

    public void Cut()
    {
        _cut = true;
        CloseAll();
    }

    public void Heal() => _cut = false;

    /// <summary>Breaks what is connected; who connects anew hears nothing.</summary>
    public void FallSilent()
    {
        _silent = true;
        CloseAll();
    }

    public void LeadTo(RedisServer server)
    {
        Volatile.Write(ref _target, server.Port);
        CloseAll();
    }

    /// <summary>The connection over which this is sent next breaks when its answer comes, which is lost.</summary>
    public void LoseAnswerTo(string sent) => _loseAnswerTo = System.Text.Encoding.UTF8.GetBytes(sent);

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        CloseAll();
        foreach (var client in _held)
        {
            client.Dispose();
        }

        await _accepting;
    }

    private void CloseAll()
    {
        foreach (var link in _links.Keys)
        {
            link.Close();
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync();
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                return;
            }

            if (_cut)
            {
                client.Dispose();
                continue;
            }

            if (_silent)
            {
                _held.Add(client);
                continue;
            }

            _ = ServeAsync(client);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var link = new Link(client, new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        client.NoDelay = true;
        _links[link] = true;
        try
        {
            await link.Server.ConnectAsync(IPAddress.Loopback, Volatile.Read(ref _target));
            if (_cut)
            {
                return;
            }

            var losing = false;
            var up = PumpAsync(link.Client, link.Server, sent =>
            {
                if (_loseAnswerTo is { } text && sent.Span.IndexOf(text) >= 0)
                {
                    _loseAnswerTo = null;
                    losing = true;
                }

                return Task.FromResult(true);
            });
            var down = PumpAsync(link.Server, link.Client, async _ =>
            {
                if (!losing)
                {
                    return true;
                }

                await OnLost();
                return false;
            });
            await await Task.WhenAny(up, down);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // One of the two is gone, and so is the other then.
        }
        finally
        {
            _links.TryRemove(link, out _);
            link.Close();
        }
    }

    private static async Task PumpAsync(Socket from, Socket to, Func<ReadOnlyMemory<byte>, Task<bool>> look)
    {
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var read = await from.ReceiveAsync(buffer);
            if (read == 0 || !await look(buffer.AsMemory(0, read)))
            {
                return;
            }

            for (var sent = 0; sent < read;)
            {
                sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
            }
        }
    }

    private sealed record Link(Socket Client, Socket Server)
    {
        public void Close()
        {
            Client.Dispose();
            Server.Dispose();
        }
    }
}
