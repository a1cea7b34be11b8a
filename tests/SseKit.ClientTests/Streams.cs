namespace SseKit.ClientTests;

/// <summary>A source in one of its forms.</summary>
internal sealed record Streams(string Form, Source Source)
{
    public static IEnumerable<Streams> All() =>
        from source in Sources.All
        from form in source.ByHandOnly ? [StreamServer.Wrapped] : new[] { StreamServer.Own, StreamServer.Wrapped }
        select new Streams(form, source);

    public static IEnumerable<Streams> For(string client) => All().Where(stream => stream.Source.OnlyFor is null || stream.Source.OnlyFor == client);

    public override string ToString() => $"{Form}/{Source.Name}";
}
