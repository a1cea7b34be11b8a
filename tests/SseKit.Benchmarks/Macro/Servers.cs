namespace SseKit.Benchmarks.Macro;

/// <summary>The servers of a row: one process for each variant, started when it is first asked for and kept over the rounds.</summary>
internal sealed class Servers
{
    private readonly Dictionary<string, IDisposable> _servers = [];

    public T Get<T>(string variant, Func<T> start)
        where T : IDisposable
    {
        if (!_servers.TryGetValue(variant, out var server))
        {
            _servers.Add(variant, server = start());
        }

        return (T)server;
    }

    public void Dispose()
    {
        foreach (var server in _servers.Values)
        {
            server.Dispose();
        }

        _servers.Clear();
    }
}
