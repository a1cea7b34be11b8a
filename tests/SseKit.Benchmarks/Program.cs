using BenchmarkDotNet.Running;
using SseKit.Benchmarks.Macro;
using SseKit.Benchmarks.Server;

switch (args)
{
    case ["micro", .. var rest]:
        BenchmarkSwitcher.FromAssembly(typeof(MacroRun).Assembly).Run(rest.Length == 0 ? ["--filter", "*"] : rest);
        return 0;
    case ["macro", .. var rest]:
        return await MacroRun.RunAsync(rest);
    case ["server", .. var rest]:
        return BenchServer.Run(rest);
    default:
        Console.Error.WriteLine(
            """
            micro [BenchmarkDotNet options]
            macro [--rounds N] [--only ROW] [--quick] [--out FILE]
            """);
        return 2;
}
