using System.Diagnostics;
using System.Reflection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace SseKit.Tests.Guide;

/// <summary>A whole program of the guide, compiled as the web SDK does, and run in this process on a port of its own.</summary>
internal sealed class GuideProgram : IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);

    // What <ImplicitUsings> adds in a web project.
    private static readonly string Usings = string.Concat(new[]
    {
        "System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Net.Http", "System.Net.Http.Json", "System.Threading", "System.Threading.Tasks",
        "Microsoft.AspNetCore.Builder", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Http", "Microsoft.AspNetCore.Routing",
        "Microsoft.Extensions.Configuration", "Microsoft.Extensions.DependencyInjection", "Microsoft.Extensions.Hosting", "Microsoft.Extensions.Logging",
    }.Select(name => $"global using global::{name};\n"));

    private readonly IHost _host;
    private readonly Task _running;

    private GuideProgram(IHost host, Task running)
    {
        _host = host;
        _running = running;
        Url = host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
    }

    public string Url { get; }

    public IServiceProvider Services => _host.Services;

    /// <summary>Compiles the program of that name and starts it; a warning is an error.</summary>
    public static async Task<GuideProgram> StartAsync(string page, string name)
    {
        var main = Compile(GuidePage.Block(page, $"Program.cs, {name}"), name).EntryPoint!;
        using var builds = new Builds();
        string[] arguments = ["--urls", "http://127.0.0.1:0", "--environment", "Production", "--Logging:LogLevel:Default", "None"];
        var running = Task.Factory.StartNew(
            () =>
            {
                builds.Listen();
                main.Invoke(null, [arguments]);
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        var host = await ((Task<IHost>)await Task.WhenAny(builds.Host, FailedAsync(running))).WaitAsync(Guard, TestContext.Current.CancellationToken);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.Register(started.SetResult);
        await (await Task.WhenAny(started.Task, running)).WaitAsync(Guard, TestContext.Current.CancellationToken);
        return new GuideProgram(host, running);
    }

    public async ValueTask DisposeAsync()
    {
        _host.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        await _running.WaitAsync(Guard, CancellationToken.None);
    }

    private static async Task<IHost> FailedAsync(Task running)
    {
        await running;
        throw new InvalidOperationException("The program ended before it built its app.");
    }

    private static Assembly Compile(string program, string name)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => path.EndsWith(".dll", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create(
            $"Guide {name}",
            [CSharpSyntaxTree.ParseText(SourceText.From(Usings)), CSharpSyntaxTree.ParseText(SourceText.From(program))],
            references,
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable)
                .WithGeneralDiagnosticOption(ReportDiagnostic.Error)
                .WithSpecificDiagnosticOptions([new("CS1701", ReportDiagnostic.Suppress), new("CS1702", ReportDiagnostic.Suppress)]));
        using var assembly = new MemoryStream();
        var result = compilation.Emit(assembly);
        Assert.True(result.Success, $"'{name}' does not compile:\n{string.Join('\n', result.Diagnostics.Where(found => found.Severity == DiagnosticSeverity.Error))}");
        return Assembly.Load(assembly.ToArray());
    }

    /// <summary>Hears of the host that the program builds, and of no other's: tests build theirs at the same time.</summary>
    private sealed class Builds : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>, IDisposable
    {
        private readonly AsyncLocal<bool> _here = new();
        private readonly TaskCompletionSource<IHost> _host = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly IDisposable _all;
        private IDisposable? _hosting;

        public Builds() => _all = DiagnosticListener.AllListeners.Subscribe(this);

        public Task<IHost> Host => _host.Task;

        public void Listen() => _here.Value = true;

        public void OnNext(DiagnosticListener value)
        {
            // One for each host that is being built.
            if (_here.Value && value.Name == "Microsoft.Extensions.Hosting")
            {
                _hosting = value.Subscribe(this);
            }
        }

        public void OnNext(KeyValuePair<string, object?> value)
        {
            if (_here.Value && value is { Key: "HostBuilt", Value: IHost host })
            {
                _host.TrySetResult(host);
            }
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }

        public void Dispose()
        {
            _hosting?.Dispose();
            _all.Dispose();
        }
    }
}
