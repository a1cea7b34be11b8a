using System.Diagnostics;
using System.Text;

namespace SseKit.Benchmarks.Client;

/// <summary>Any number of open streams on a few threads, each with an epoll of its own.</summary>
internal sealed unsafe class Subscribers : IDisposable
{
    // Below the backlog of a listening socket, so that no connect is dropped and tried again a second later.
    private const int ConnectAtOnce = 200;
    private const int Hosts = 8;

    private readonly List<HttpResponseReader> _readers = [];
    private readonly List<int> _sockets = [];
    private readonly Loop[] _loops;
    private readonly AutoResetEvent _reached = new(false);
    private long _total;
    private long _target = long.MaxValue;
    private long _headers;
    private volatile bool _stop;
    private volatile Exception? _failure;

    public Subscribers(int threads = 1, bool latencies = false)
    {
        _loops = [.. Enumerable.Range(0, threads).Select(_ => new Loop(this, latencies))];
    }

    /// <summary>Events of all streams so far.</summary>
    public long Total => Volatile.Read(ref _total);

    public IReadOnlyList<HttpResponseReader> Readers => _readers;

    public IReadOnlyList<LatencyHistogram> Latencies => [.. _loops.Select(loop => loop.Latencies!)];

    public int Comments => _readers.Sum(reader => reader.Body is NumberedEvents numbered ? numbered.Comments : 0);

    public static byte[] Request(string path, params string[] headers) =>
        Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{string.Concat(headers.Select(header => header + "\r\n"))}\r\n");

    /// <summary>Opens streams, evenly over a time where one is given, and waits for their headers.</summary>
    public void Open(int count, int port, byte[] request, Func<LatencyHistogram?, BodyCheck> check, bool waitForHeaders = true, TimeSpan over = default)
    {
        var started = Stopwatch.GetTimestamp();
        for (var opened = 0; opened < count; opened++)
        {
            while (Stopwatch.GetElapsedTime(started) < over * opened / count)
            {
                Thread.Sleep(1);
            }

            var loop = _loops[_sockets.Count % _loops.Length];
            var socket = Libc.Connect(_sockets.Count % Hosts, port);
            var reader = new HttpResponseReader(check(loop.Latencies));
            _sockets.Add(socket);
            _readers.Add(reader);
            loop.Add(socket, reader);
            Libc.SendAll(socket, request);
            if (waitForHeaders && ((opened + 1) % ConnectAtOnce == 0 || opened + 1 == count))
            {
                WaitUntil(() => Volatile.Read(ref _headers) == _sockets.Count, $"headers on {_sockets.Count} streams, of which {_headers} have come");
            }
        }
    }

    public void ClearLatencies()
    {
        foreach (var loop in _loops)
        {
            loop.Latencies?.Clear();
        }
    }

    /// <summary>Waits for this many events in all, and tells the timestamp of the last one.</summary>
    public long WaitForTotal(long target, TimeSpan? patience = null)
    {
        Volatile.Write(ref _target, target);
        var deadline = Stopwatch.GetTimestamp() + (long)((patience ?? TimeSpan.FromSeconds(120)).TotalSeconds * Stopwatch.Frequency);
        while (Total < target)
        {
            _reached.WaitOne(200);
            ThrowIfFailed();
            if (Stopwatch.GetTimestamp() > deadline)
            {
                throw new TimeoutException($"{Total} of {target} events have come.");
            }
        }

        Volatile.Write(ref _target, long.MaxValue);
        Check();
        return _loops.Max(loop => loop.LastEventAt);
    }

    public void WaitUntil(Func<bool> condition, string what)
    {
        var started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            ThrowIfFailed();
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(60))
            {
                throw new TimeoutException($"Waited in vain for {what}.");
            }

            Thread.Sleep(1);
        }
    }

    /// <summary>Throws when any stream had anything but what it should have.</summary>
    public void Check()
    {
        ThrowIfFailed();
        foreach (var reader in _readers)
        {
            if (reader.Body.Fault is { } fault)
            {
                throw new IOException(fault);
            }
        }
    }

    public void Dispose()
    {
        _stop = true;
        foreach (var loop in _loops)
        {
            loop.Join();
        }

        foreach (var socket in _sockets)
        {
            _ = Libc.Close(socket);
        }

        _reached.Dispose();
    }

    private void ThrowIfFailed()
    {
        if (_failure is { } failure)
        {
            throw new IOException("The client failed.", failure);
        }
    }

    private sealed class Loop
    {
        private readonly Subscribers _all;
        private readonly int _epoll = Libc.Checked(Libc.EpollCreate(0), "epoll_create1");
        private readonly List<(int Socket, HttpResponseReader Reader)> _streams = [];
        private readonly Lock _gate = new();
        private readonly Thread _thread;
        private long _lastEventAt;

        public Loop(Subscribers all, bool latencies)
        {
            _all = all;
            Latencies = latencies ? new LatencyHistogram() : null;
            _thread = new Thread(Run) { IsBackground = true };
            _thread.Start();
        }

        public LatencyHistogram? Latencies { get; }

        public long LastEventAt => Volatile.Read(ref _lastEventAt);

        public void Add(int socket, HttpResponseReader reader)
        {
            int index;
            lock (_gate)
            {
                index = _streams.Count;
                _streams.Add((socket, reader));
            }

            var interest = new Libc.EpollEvent { Events = Libc.EpollIn, Index = index };
            Libc.Checked(Libc.EpollControl(_epoll, 1, socket, &interest), "epoll_ctl");
        }

        public void Join()
        {
            _thread.Join();
            _ = Libc.Close(_epoll);
        }

        private void Run()
        {
            try
            {
                const int Most = 512;
                const int Size = 256 * 1024;
                var ready = stackalloc Libc.EpollEvent[Most];
                var buffer = GC.AllocateUninitializedArray<byte>(Size, pinned: true);
                fixed (byte* start = buffer)
                {
                    while (!_all._stop)
                    {
                        var count = Libc.EpollWait(_epoll, ready, Most, 50);
                        long events = 0, headers = 0;
                        for (var i = 0; i < count; i++)
                        {
                            (int Socket, HttpResponseReader Reader) stream;
                            lock (_gate)
                            {
                                stream = _streams[ready[i].Index];
                            }

                            var length = Libc.Receive(stream.Socket, start, Size, Libc.DontWait);
                            if (length <= 0)
                            {
                                if (_all._stop)
                                {
                                    return;
                                }

                                throw new IOException(length == 0 ? "The server closed a connection." : "The server reset a connection.");
                            }

                            var reader = stream.Reader;
                            var before = reader.Body.Events;
                            var began = reader.HeadersAt != 0;
                            reader.Take(buffer.AsSpan(0, (int)length));
                            events += reader.Body.Events - before;
                            headers += !began && reader.HeadersAt != 0 ? 1 : 0;
                        }

                        if (headers > 0)
                        {
                            Interlocked.Add(ref _all._headers, headers);
                        }

                        if (events > 0)
                        {
                            Volatile.Write(ref _lastEventAt, Stopwatch.GetTimestamp());
                            if (Interlocked.Add(ref _all._total, events) >= Volatile.Read(ref _all._target))
                            {
                                _all._reached.Set();
                            }
                        }
                    }
                }
            }
            catch (Exception exception)
            {
                _all._failure = exception;
                _all._reached.Set();
            }
        }
    }
}
