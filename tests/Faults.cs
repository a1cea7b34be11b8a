// Plants each fault of FAULTS.md in a copy of the repository and expects the named tests to turn red; several copies at a time.
//   dotnet run tests/Faults.cs                 all faults
//   dotnet run tests/Faults.cs -- "lone CR"    those whose heading contains the text

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;

// The slowest test publishes a native program.
var testLimit = TimeSpan.FromMinutes(5);
var buildLimit = TimeSpan.FromMinutes(10);

var tests = Path.GetDirectoryName(ThisFile())!;
var repository = Path.GetDirectoryName(tests)!;
var faults = Parse(File.ReadAllLines(Path.Combine(tests, "FAULTS.md")))
    .Where(fault => args.All(arg => fault.Title.Contains(arg, StringComparison.OrdinalIgnoreCase)))
    .ToList();
if (faults.Count == 0)
{
    Console.WriteLine(args.Length == 0 ? "FAULTS.md lists no fault." : $"No fault's heading contains '{string.Join(' ', args)}'.");
    return args.Length == 0 ? 0 : 1;
}

var folder = Directory.CreateTempSubdirectory("faults-").FullName;
try
{
    return await TryAsync();
}
finally
{
    Directory.Delete(folder, recursive: true);
}

async Task<int> TryAsync()
{
    var all = faults.SelectMany(f => f.Tests).Distinct().ToList();
    Console.WriteLine($"Unbroken code first: {faults.Count} faults, {all.Count} tests");
    // Two for each core: a test that is red has often waited for what does not come.
    var copies = Enumerable.Range(0, Math.Min(2 * Environment.ProcessorCount, faults.Count)).Select(i => Path.Combine(folder, $"{i}")).ToList();
    var unready = await Task.WhenAll(copies.Select(copy => Task.Run(() => Prepare(copy, all))));
    if (unready.FirstOrDefault(reason => reason is not null) is { } reason)
    {
        Console.WriteLine(reason);
        return 1;
    }

    var known = Projects(all).SelectMany(project => Known(copies[0], project)).ToHashSet();
    if (RedRun(copies[0], all.Where(known.Contains)) is { } red)
    {
        Console.WriteLine($"Not green on unbroken code, so nothing can be told:\n{red}");
        return 1;
    }

    // Not beside others: a browser notices when a test in another program adds a network to the machine. And what has survived is tried once
    // more: two threads race each other only where both have a core.
    var lone = faults.Where(f => f.Tests.Any(t => t.Project == "SseKit.BrowserTests")).ToList();
    var waiting = new ConcurrentQueue<Fault>(faults.Except(lone));
    var verdicts = new ConcurrentDictionary<Fault, string>();
    await Task.WhenAll(copies.Select(copy => Task.Run(() =>
    {
        while (waiting.TryDequeue(out var fault))
        {
            Try(copy, fault);
        }
    })));
    lone.AddRange(faults.Where(fault => verdicts.GetValueOrDefault(fault) == "SURVIVED"));
    lone.ForEach(fault => Try(copies[0], fault));

    var width = faults.Max(f => f.Title.Length);
    Console.WriteLine();
    foreach (var fault in faults)
    {
        Console.WriteLine($"| {verdicts[fault],-14} | {fault.Title.PadRight(width)} | {string.Join(", ", fault.Tests)} |");
    }
    var bad = verdicts.Values.Count(verdict => verdict != "red");
    Console.WriteLine($"\n{faults.Count - bad} of {faults.Count} faults were caught.");
    return bad == 0 ? 0 : 1;

    void Try(string copy, Fault fault)
    {
        var (verdict, reason) = Judge(copy, fault, known);
        Console.WriteLine($"  {verdict,-14} {fault.Title}{(reason is null ? "" : $"\n    {reason}")}");
        verdicts[fault] = verdict;
    }
}

// Why the copy cannot be used, or null.
string? Prepare(string copy, IEnumerable<Test> tests)
{
    CopyRepository(copy);
    foreach (var project in Projects(tests))
    {
        if (!Build(copy, project, restore: true, out var errors))
        {
            return $"{project} does not build:\n{errors}";
        }
    }
    return null;
}

IEnumerable<Test> Known(string copy, string project) =>
    Execute(copy, Binary(copy, project), ["-list", "methods", "-noColor"], testLimit).Output.Split('\n').Select(line => new Test(project, line.Trim().Split('.')[^1]));

(string Verdict, string? Reason) Judge(string copy, Fault fault, HashSet<Test> known)
{
    var unknown = fault.Tests.Where(t => !known.Contains(t)).ToList();
    if (unknown.Count > 0)
    {
        return ("NO SUCH TEST", $"no such test: {string.Join(", ", unknown)}");
    }

    var path = Path.Combine(copy, fault.File);
    var original = File.Exists(path) ? File.ReadAllText(path) : "";
    var found = original.Split(fault.Line).Length - 1;
    if (found != 1)
    {
        return ("DID NOT APPLY", $"the line occurs {found} times in {fault.File}: {fault.Line}");
    }

    File.WriteAllText(path, original.Replace(fault.Line, fault.Break, StringComparison.Ordinal));
    try
    {
        foreach (var project in Projects(fault.Tests))
        {
            if (!Build(copy, project, restore: false, out var errors))
            {
                return ("NO COMPILE", errors);
            }
        }
        return (RedRun(copy, fault.Tests) is null ? "SURVIVED" : "red", null);
    }
    finally
    {
        File.WriteAllText(path, original);
    }
}

// The output of the first run that was not green, or null.
string? RedRun(string copy, IEnumerable<Test> named)
{
    foreach (var group in named.Distinct().GroupBy(t => t.Project))
    {
        var methods = group.SelectMany(t => new[] { "-method", "*." + t.Name });
        var (code, output) = Execute(copy, Binary(copy, group.Key), ["-noColor", "-noLogo", "-failSkips", .. methods], testLimit);
        // A process that ends early with code 0 has not said that its tests passed. And a skipped test catches nothing.
        if (code != 0 || !Regex.IsMatch(output, "Total: [1-9][0-9]*, Errors: 0, Failed: 0"))
        {
            return output;
        }
    }
    return null;
}

bool Build(string copy, string project, bool restore, out string errors)
{
    // A fault may leave something unused behind: warnings are not what is being tried here.
    string[] quick = ["-v:q", "-nologo", "-p:RunAnalyzers=false", "-p:TreatWarningsAsErrors=false", "-p:GenerateDocumentationFile=false",
        // The compiler stays warm from fault to fault, whatever the environment says.
        "-p:UseSharedCompilation=true"];
    if (!restore)
    {
        quick = [.. quick, "--no-restore"];
    }
    var (code, output) = Execute(copy, "dotnet", ["build", $"tests/{project}", .. quick], buildLimit);
    errors = string.Join('\n', output.Split('\n').Where(line => line.Contains("error", StringComparison.Ordinal)).Distinct().Take(10));
    return code == 0;
}

// A test program of xunit.v3 is an executable: it starts in a fraction of the time of `dotnet test`.
string Binary(string copy, string project) => Path.Combine(copy, "tests", project, "bin", "Debug", "net10.0", project);

static IEnumerable<string> Projects(IEnumerable<Test> tests) => tests.Select(t => t.Project).Distinct();

void CopyRepository(string copy)
{
    // Tracked and new files alike, so that a fault can be tried before anything is committed.
    var listed = Execute(repository, "git", ["ls-files", "-co", "--exclude-standard", "-z"], testLimit).Output;
    foreach (var file in listed.Split('\0', StringSplitOptions.RemoveEmptyEntries))
    {
        // A tracked file may be deleted in the work tree.
        var source = Path.Combine(repository, file);
        if (File.Exists(source))
        {
            var target = Path.Combine(copy, file);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(source, target);
        }
    }
    // Installed npm packages are ignored by git, but browser tests need them.
    foreach (var package in Directory.GetFiles(Path.Combine(copy, "tests"), "package.json", SearchOption.AllDirectories))
    {
        var modules = Path.Combine(Path.GetDirectoryName(package)!, "node_modules");
        var installed = Path.Combine(repository, Path.GetRelativePath(copy, modules));
        if (Directory.Exists(installed))
        {
            Directory.CreateSymbolicLink(modules, installed);
        }
    }
}

(int Code, string Output) Execute(string directory, string program, string[] arguments, TimeSpan limit)
{
    var start = new ProcessStartInfo(program, arguments)
    {
        WorkingDirectory = directory,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };
    // A build node that stays behind would outlive the copy it works in.
    start.Environment["MSBUILDDISABLENODEREUSE"] = "1";

    var output = new StringBuilder();
    using var process = new Process { StartInfo = start };
    process.OutputDataReceived += (_, line) => Append(line.Data);
    process.ErrorDataReceived += (_, line) => Append(line.Data);
    process.Start();
    process.BeginOutputReadLine();
    process.BeginErrorReadLine();

    // The code that is tried here is broken on purpose; to hang is one way to be red.
    var ended = process.WaitForExit(limit);
    if (!ended)
    {
        process.Kill(entireProcessTree: true);
        Append($"(stopped after {limit.TotalSeconds} s)");
    }
    // The rest of the output, but not for ever: a grandchild may hold the pipe open.
    using (var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5)))
    {
        try
        {
            process.WaitForExitAsync(patience.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
        }
    }
    lock (output)
    {
        return (ended ? process.ExitCode : -1, output.ToString());
    }

    void Append(string? line)
    {
        lock (output)
        {
            output.Append(line).Append('\n');
        }
    }
}

static List<Fault> Parse(string[] lines)
{
    var faults = new List<Fault>();
    string? title = null;
    var fields = new Dictionary<string, string>();
    foreach (var line in lines.Append("### "))
    {
        if (line.StartsWith("### ", StringComparison.Ordinal))
        {
            if (title is not null)
            {
                faults.Add(new Fault(title, Field("file"), Field("line"), Field("break"),
                    [.. Field("test").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Test.Parse)]));
            }
            title = line["### ".Length..].Trim();
            fields.Clear();
        }
        else if (line.StartsWith("- ", StringComparison.Ordinal) && title is not null)
        {
            var one = Regex.Match(line, "^- (file|line|break|test): `([^`]*)`$");
            var several = Regex.Match(line, "^- (test): (`[^`]+`(?:, *`[^`]+`)+)$");
            var match = one.Success ? one : several;
            if (!match.Success || !fields.TryAdd(match.Groups[1].Value, one.Success ? match.Groups[2].Value : match.Groups[2].Value.Replace("`", "", StringComparison.Ordinal)))
            {
                throw new FormatException($"FAULTS.md, '{title}': expected one each of - file, line, break, test: `text`, not: {line}");
            }
        }
    }
    return faults;

    string Field(string name) => fields.TryGetValue(name, out var value) && (value.Length > 0 || name == "break")
        ? value : throw new FormatException($"FAULTS.md, '{title}' has no {name}.");
}

static string ThisFile([CallerFilePath] string path = "") => path;

internal sealed record Fault(string Title, string File, string Line, string Break, IReadOnlyList<Test> Tests);

internal sealed record Test(string Project, string Name)
{
    public static Test Parse(string text) => text.Split(':') is [var project, var name] ? new(project, name) : new("SseKit.Tests", text);

    public override string ToString() => Project == "SseKit.Tests" ? Name : $"{Project}:{Name}";
}
