using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace SseKit.Benchmarks.Server;

/// <summary>
/// The server's process: SseKit and the peers that run in .NET, under the same settings. It takes commands on its input, a line each, and
/// answers each with a line of numbers.
/// </summary>
internal static class BenchServer
{
    private const string Topic = "news";

    public static int Run(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Any, 0);
            kestrel.Listen(IPAddress.Any, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, TickContext.Default));
        builder.Services.AddSse(options =>
        {
            options.KeepAliveInterval = TimeSpan.FromSeconds(Setting(args, "--keep-alive", 15));
            options.MaxEventsPerTopic = Setting(args, "--ring", 1_000);
            options.MaxBytesPerTopic = 1L << 30;
            if (args.Contains("--write-timeout-infinite"))
            {
                options.WriteTimeout = Timeout.InfiniteTimeSpan;
            }
        });

        var app = builder.Build();
        var hub = new ChannelHub();
        var bare = new BareHub();
        var bareWithIds = new BareHub("id: 0123456789ab-12345\n");
        var sockets = new SocketHub();
        SingleStreams.Map(app);
        app.MapSse("/ssekit/topic", Topic);
        app.MapSse("/ssekit/all", Topic, stream => stream.Start = SseStart.Earliest);
        app.MapGet("/typed/topic", (CancellationToken stop) => TypedResults.ServerSentEvents(hub.SubscribeAsync(stop)));
        BareHub.Map(app, "/bare/topic", bare);
        BareHub.Map(app, "/bare-ids/topic", bareWithIds);
        Silence.Map(app, TimeSpan.FromSeconds(Setting(args, "--keep-alive", 15)));
        Replays.Map(app, Setting(args, "--replay", 0));
        app.Map("/plain", branch => branch.Run(Plain));
        if (args.Contains("--watched"))
        {
            app.Map("/watched", branch => branch.UseSse().Run(Plain));
        }

        // The commands stay on this thread, which is none of the thread pool's: one of those that blocks is missed by the server.
        app.StartAsync().GetAwaiter().GetResult();

        var topics = app.Services.GetRequiredService<ISseTopics>();
        Answer([.. app.Urls.Select(url => (object)new Uri(url).Port), sockets.Port]);
        var sequence = 0L;
        var publishers = new Dictionary<string, Action>(StringComparer.Ordinal)
        {
            ["ssekit"] = () => topics.PublishAsync(Topic, Content.FanOut(++sequence, Stopwatch.GetTimestamp())).AsTask().GetAwaiter().GetResult(),
            ["typed"] = () => hub.Publish(Content.FanOut(++sequence, Stopwatch.GetTimestamp())),
        };
        var loops = new Dictionary<string, Action<string[]>>(StringComparer.Ordinal)
        {
            ["bare"] = bare.Publish,
            ["bare-ids"] = bareWithIds.Publish,
            ["sockets"] = sockets.Publish,
        };
        while (Console.In.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            switch (words[0])
            {
                case "usage":
                    Answer(Environment.CpuUsage.TotalTime.Ticks / 10, GC.GetTotalAllocatedBytes(precise: true));
                    break;
                case "memory":
                    Collect();
                    Answer(ResidentBytes(), GC.GetTotalMemory(forceFullCollection: false));
                    break;
                case "calm":
                    Answer(CompilerCalm());
                    break;
                case "position":
                    Console.Out.WriteLine(topics.GetPositionAsync(Topic).AsTask().GetAwaiter().GetResult());
                    break;
                case "publish" when loops.TryGetValue(words[1], out var loop):
                    loop([.. Enumerable.Range(0, Int(words[2])).Select(_ => Content.FanOut(++sequence, Stopwatch.GetTimestamp()))]);
                    Answer(sequence);
                    break;
                case "publish":
                    Publish(Int(words[2]), distance: 0, publishers[words[1]]);
                    Answer(sequence);
                    break;
                case "start":
                    // One after the other at the given distance in microseconds, while other commands are answered.
                    var (count, distance, publisher) = (Int(words[2]), Int(words[3]), publishers[words[1]]);
                    new Thread(() => Publish(count, distance, publisher)).Start();
                    Answer(sequence);
                    break;
                case "cost":
                    Answer(PublishCost(topics, Int(words[1])));
                    break;
                default:
                    throw new ArgumentException(line);
            }
        }

        // The input's end is the parent's.
        Environment.Exit(0);
        return 0;
    }

    private static Task Plain(HttpContext context)
    {
        context.Response.ContentType = "text/plain";
        context.Response.ContentLength = 2;
        return context.Response.Body.WriteAsync("ok"u8.ToArray()).AsTask();
    }

    private static void Publish(int count, int distance, Action publish)
    {
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++)
        {
            var ahead = TimeSpan.FromMicroseconds((double)i * distance) - Stopwatch.GetElapsedTime(started);
            if (ahead > TimeSpan.Zero)
            {
                Thread.Sleep(ahead);
            }

            publish();
        }
    }

    /// <summary>Nanoseconds for a publish to a topic that is as full as it gets.</summary>
    private static long PublishCost(ISseTopics topics, int fill)
    {
        for (var i = 0; i < fill; i++)
        {
            topics.PublishAsync("cost", Content.FanOut(i, 0)).AsTask().GetAwaiter().GetResult();
        }

        const int Count = 200_000;
        var text = Content.FanOut(0, 0);
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < Count; i++)
        {
            topics.PublishAsync("cost", text).AsTask().GetAwaiter().GetResult();
        }

        return (long)(Stopwatch.GetElapsedTime(started).TotalNanoseconds / Count);
    }

    /// <summary>Waits until the runtime compiles nothing any more, which it does in the background, and tells how many methods it has compiled.</summary>
    private static long CompilerCalm()
    {
        long compiled;
        do
        {
            // It looks for what became hot 100 ms after it last met something new.
            compiled = JitInfo.GetCompiledMethodCount();
            Thread.Sleep(250);
        }
        while (compiled != JitInfo.GetCompiledMethodCount());

        return compiled;
    }

    private static void Collect()
    {
        for (var i = 0; i < 3; i++)
        {
            GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
    }

    private static long ResidentBytes() =>
        long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;

    private static int Setting(string[] args, string name, int otherwise) =>
        Array.IndexOf(args, name) is var at and >= 0 ? Int(args[at + 1]) : otherwise;

    private static int Int(string word) => int.Parse(word, CultureInfo.InvariantCulture);

    private static void Answer(params object[] numbers) => Console.Out.WriteLine(string.Join(' ', numbers));
}
