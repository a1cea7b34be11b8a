using System.Reflection;

namespace SseKit.Testing;

/// <summary>What the contracts have in common: they find their checks by themselves and run them by name.</summary>
/// <remarks>
/// A check that fails throws an <see cref="SseContractException"/>, or what the store threw. Each makes its own store and shares nothing with
/// the others, so they may run at the same time.
/// </remarks>
public abstract class SseContract
{
    private static readonly TimeSpan LongestCheck = TimeSpan.FromMinutes(2);

    private protected SseContract()
    {
    }

    /// <summary>Ends what a check waits for, when the test is cancelled. Default none: a check that hangs fails after 2 minutes.</summary>
    protected virtual CancellationToken CancellationToken => CancellationToken.None;

    private protected CancellationToken Stop => CancellationToken;

    /// <summary>Runs one check.</summary>
    /// <param name="check">Its name, out of <c>Checks</c>.</param>
    /// <returns>Completes when the store has passed.</returns>
    /// <exception cref="SseContractException">The store does not keep the contract; the message says where.</exception>
    /// <exception cref="ArgumentException">There is no such check.</exception>
    public async Task RunAsync(string check)
    {
        if (MethodsOf(Contract()).SingleOrDefault(method => method.Name == check) is not { } method)
        {
            throw new ArgumentException($"There is no check '{check}'. {Contract().Name}.Checks lists them.", nameof(check));
        }

        // On the pool: a store that blocks the thread that called it is to fail, not to hang.
        var run = Task.Run(method.CreateDelegate<Func<Task>>(this), Stop);
        if (await Task.WhenAny(run, Task.Delay(LongestCheck, Stop)) != run)
        {
            Stop.ThrowIfCancellationRequested();
            throw new SseContractException(check, $"A call of the store has not come back within {LongestCheck.TotalMinutes} minutes.");
        }

        await run;
    }

    private protected static IEnumerable<object[]> ChecksOf(Type contract) =>
        MethodsOf(contract).Select(method => method.Name).Order(StringComparer.Ordinal).Select(name => new object[] { name });

    private static IEnumerable<MethodInfo> MethodsOf(Type contract) => contract
        .GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
        .Where(method => method.ReturnType == typeof(Task) && method.GetParameters().Length == 0);

    private Type Contract()
    {
        var type = GetType();
        while (type.BaseType != typeof(SseContract))
        {
            type = type.BaseType!;
        }

        return type;
    }
}
