using System.Diagnostics;

namespace SseKit.Benchmarks.Client;

/// <summary>Takes the body of a stream and checks it, byte for byte.</summary>
internal abstract class BodyCheck
{
    /// <summary>Events that arrived complete, in order and as expected.</summary>
    public long Events { get; protected set; }

    /// <summary>What was wrong first.</summary>
    public string? Fault { get; protected set; }

    public abstract void Take(ReadOnlySpan<byte> body);
}

/// <summary>A stream whose every byte is known: a period of equally long events, over and over.</summary>
internal sealed class ExactStream(byte[] period) : BodyCheck
{
    private readonly int _frame = period.Length / Content.Period;
    private long _bytes;
    private int _opening;

    public override void Take(ReadOnlySpan<byte> body)
    {
        // SseKit opens a stream that waits with an empty comment.
        while (_bytes == 0 && _opening < 2 && !body.IsEmpty && body[0] == ":\n"u8[_opening])
        {
            _opening++;
            body = body[1..];
        }

        while (!body.IsEmpty)
        {
            var at = (int)(_bytes % period.Length);
            var length = Math.Min(body.Length, period.Length - at);
            if (!body[..length].SequenceEqual(period.AsSpan(at, length)))
            {
                Fault ??= $"Byte {_bytes + body[..length].CommonPrefixLength(period.AsSpan(at, length))} is not what was sent.";
            }

            _bytes += length;
            body = body[length..];
        }

        Events = _bytes / _frame;
    }
}

/// <summary>Only bytes, where they are another peer's business.</summary>
internal sealed class AnyBytes : BodyCheck
{
    public override void Take(ReadOnlySpan<byte> body) => Events += body.Length;
}

/// <summary>A stream of numbered events with whatever other fields and comments: each number once and in order.</summary>
internal sealed class NumberedEvents(LatencyHistogram? latencies) : BodyCheck
{
    private byte[] _carry = [];
    private int _carried;
    private bool _dispatches;
    private bool _begun;
    private long _next;

    public int Comments { get; private set; }

    public override void Take(ReadOnlySpan<byte> body)
    {
        while (true)
        {
            var end = body.IndexOf((byte)'\n');
            if (end < 0)
            {
                Carry(body);
                return;
            }

            if (_carried > 0)
            {
                Carry(body[..end]);
                TakeLine(_carry.AsSpan(0, _carried));
                _carried = 0;
            }
            else
            {
                TakeLine(body[..end]);
            }

            body = body[(end + 1)..];
        }
    }

    private void Carry(ReadOnlySpan<byte> part)
    {
        if (_carry.Length < _carried + part.Length)
        {
            Array.Resize(ref _carry, Math.Max(256, _carried + part.Length));
        }

        part.CopyTo(_carry.AsSpan(_carried));
        _carried += part.Length;
    }

    private void TakeLine(ReadOnlySpan<byte> line)
    {
        if (line is [.., (byte)'\r'])
        {
            line = line[..^1];
        }

        if (line.IsEmpty)
        {
            Events += _dispatches ? 1 : 0;
            _dispatches = false;
        }
        else if (line[0] == (byte)':')
        {
            Comments++;
        }
        else if (line.StartsWith("data: "u8))
        {
            _dispatches = true;
            TakeData(Unquoted(line[6..]));
        }
        else if (line.StartsWith("data:"u8))
        {
            _dispatches = true;
            TakeData(Unquoted(line[5..]));
        }
        else if (line.StartsWith("event: gap"u8))
        {
            Fault ??= $"A gap after event {_next - 1}.";
        }
    }

    // better-sse writes strings as JSON.
    private static ReadOnlySpan<byte> Unquoted(ReadOnlySpan<byte> data) => data is [(byte)'"', .., (byte)'"'] ? data[1..^1] : data;

    private void TakeData(ReadOnlySpan<byte> data)
    {
        if (data.SequenceEqual("hello"u8))
        {
            _dispatches = false;
            return;
        }

        if (data.Length != Content.FanOutLength || data[(Content.StampAt + 21)..].ContainsAnyExcept((byte)'y'))
        {
            Fault ??= $"Event {_next} is not what was sent.";
            return;
        }

        var sequence = Number(data[..10]);
        if (!_begun)
        {
            (_begun, _next) = (true, sequence);
        }

        if (sequence != _next)
        {
            Fault ??= $"Event {sequence} came where {_next} was due.";
        }

        _next = sequence + 1;
        latencies?.Add(Stopwatch.GetTimestamp() - Number(data.Slice(Content.StampAt, 20)));
    }

    private static long Number(ReadOnlySpan<byte> digits)
    {
        long number = 0;
        foreach (var digit in digits)
        {
            number = (number * 10) + (digit - '0');
        }

        return number;
    }
}

/// <summary>How long events took, in steps of 50 µs. One for each thread.</summary>
internal sealed class LatencyHistogram
{
    private const int Steps = 400_000;
    private static readonly double TicksPerStep = Stopwatch.Frequency * 50e-6;
    private readonly int[] _counts = new int[Steps];

    public void Add(long ticks) => _counts[Math.Clamp((int)(ticks / TicksPerStep), 0, Steps - 1)]++;

    public void Clear() => Array.Clear(_counts);

    /// <summary>In milliseconds.</summary>
    public static double Percentile(IReadOnlyList<LatencyHistogram> all, double percent)
    {
        var due = all.Sum(one => one._counts.Sum(count => (long)count)) * percent / 100;
        long passed = 0;
        for (var step = 0; step < Steps; step++)
        {
            passed += all.Sum(one => (long)one._counts[step]);
            if (passed >= due)
            {
                return (step + 1) * 0.05;
            }
        }

        return double.NaN;
    }
}
