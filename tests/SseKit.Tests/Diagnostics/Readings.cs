using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace SseKit.Tests.Diagnostics;

/// <summary>What the meter of one app has measured.</summary>
internal sealed class Readings : IDisposable
{
    private readonly ConcurrentQueue<(Instrument Instrument, double Value, string Attributes)> _all = new();
    private readonly ConcurrentDictionary<string, Instrument> _instruments = new();
    private readonly MeterListener _listener = new();

    public Readings(WebApplication web)
    {
        var scope = web.Services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "SseKit" && ReferenceEquals(instrument.Meter.Scope, scope))
            {
                _instruments[instrument.Name] = instrument;
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
    }

    public IEnumerable<Instrument> Instruments => _instruments.Values;

    /// <summary>The sum of all measurements, or of those with these attributes (<c>key=value</c>, sorted, by comma).</summary>
    public double Sum(string name, string? attributes = null) => Of(name, attributes).Sum(reading => reading.Value);

    public int Count(string name, string? attributes = null) => Of(name, attributes).Count();

    public void Dispose() => _listener.Dispose();

    private IEnumerable<(Instrument Instrument, double Value, string Attributes)> Of(string name, string? attributes) =>
        _all.Where(reading => reading.Instrument.Name == name && (attributes is null || reading.Attributes == attributes));

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _all.Enqueue((instrument, value, string.Join(',', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}").Order(StringComparer.Ordinal))));
}
