using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;

namespace SseKit.ClientTests;

/// <summary>
/// Sits between Kestrel and the socket of one connection: sees what is sent, and can end the connection at any byte, in the middle of an event
/// too. A cut is a FIN without the end of the chunked body, so that everything before it certainly reaches the client.
/// </summary>
internal sealed class Wiretap(IDuplexPipe socket) : IDuplexPipe
{
    private const int Remembered = 512;

    private readonly Lock _gate = new();
    private readonly Pipe _sent = new();
    private readonly List<(byte[] Text, int Times, TaskCompletionSource Seen)> _awaited = [];
    private byte[] _tail = [];
    private byte[]? _cutAfter;
    private TimeSpan _pause;
    private bool _isCut;

    public PipeReader Input => socket.Input;

    public PipeWriter Output => _sent.Writer;

    public static ConnectionDelegate Into(ConnectionDelegate next) => async connection =>
    {
        var tap = new Wiretap(connection.Transport);
        connection.Transport = tap;
        connection.Features.Set(tap);
        var pump = tap.PumpAsync();
        try
        {
            await next(connection);
        }
        finally
        {
            await tap.Output.CompleteAsync();
            await pump;
        }
    };

    /// <summary>Forgets what an earlier request on the same connection was sent.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            _tail = [];
            _cutAfter = null;
            _awaited.Clear();
        }
    }

    /// <summary>Cuts the connection right after the next time that this is sent.</summary>
    /// <param name="text">What is sent.</param>
    /// <param name="attempt">The how manieth request it is: the later, the longer the client gets to read what it was sent.</param>
    public void CutAfter(string text, int attempt)
    {
        lock (_gate)
        {
            _cutAfter = Encoding.UTF8.GetBytes(text);
            _pause = TimeSpan.FromMilliseconds(50 * attempt * attempt);
        }
    }

    /// <summary>Completes when this has been sent, lately or from now on.</summary>
    public Task SentAsync(string text)
    {
        lock (_gate)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            return _tail.AsSpan().IndexOf(bytes) >= 0 ? Task.CompletedTask : Await(bytes, 1);
        }
    }

    /// <summary>Completes after so many more keep-alives.</summary>
    public Task KeepAlivesAsync(int count)
    {
        lock (_gate)
        {
            // The start of a chunk that holds a comment and nothing else.
            return Await("\r\n:\n"u8.ToArray(), count);
        }
    }

    private Task Await(byte[] text, int times)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _awaited.Add((text, times, seen));
        return seen.Task;
    }

    private async Task PumpAsync()
    {
        try
        {
            while (true)
            {
                var read = await _sent.Reader.ReadAsync();
                var bytes = read.Buffer.ToArray();
                if (!_isCut && bytes.Length > 0)
                {
                    var length = Pass(bytes, out var cut);
                    await socket.Output.WriteAsync(bytes.AsMemory(0, length));
                    if (cut)
                    {
                        // A client on top of fetch drops what it has not read when the error comes. It comes back all the same, and the tests
                        // are content with that; with a pause it mostly has something to come back with.
                        await Task.Delay(_pause);
                        await socket.Output.CompleteAsync();
                        _isCut = true;
                    }
                }

                _sent.Reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    break;
                }
            }

            await socket.Output.CompleteAsync();
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The client has left, or the server has aborted the connection.
        }

        await _sent.Reader.CompleteAsync();
    }

    /// <summary>Looks at what is about to be sent; returns how much of it may be.</summary>
    private int Pass(byte[] bytes, out bool cut)
    {
        lock (_gate)
        {
            byte[] window = [.. _tail, .. bytes];
            var length = window.Length;
            var at = _cutAfter is null ? -1 : IndexOf(window, _cutAfter);
            cut = at >= 0;
            if (cut)
            {
                length = at + _cutAfter!.Length;
            }

            for (var i = _awaited.Count - 1; i >= 0; i--)
            {
                var (text, times, seen) = _awaited[i];
                times -= Count(window.AsSpan(Math.Max(0, _tail.Length - text.Length + 1)), text);
                _awaited[i] = (text, times, seen);
                if (times <= 0)
                {
                    _awaited.RemoveAt(i);
                    seen.SetResult();
                }
            }

            var passed = length - _tail.Length;
            _tail = window[Math.Max(0, length - Remembered)..length];
            return passed;
        }
    }

    // Only what ends in the new bytes.
    private int IndexOf(byte[] window, byte[] text)
    {
        var start = Math.Max(0, _tail.Length - text.Length + 1);
        var at = window.AsSpan(start).IndexOf(text);
        return at < 0 ? -1 : start + at;
    }

    private static int Count(ReadOnlySpan<byte> window, byte[] text)
    {
        var count = 0;
        for (int at; (at = window.IndexOf(text)) >= 0; count++)
        {
            window = window[(at + text.Length)..];
        }

        return count;
    }
}
