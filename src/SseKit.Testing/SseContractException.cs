namespace SseKit.Testing;

/// <summary>A store does not keep its contract: which check it failed, and how.</summary>
public sealed class SseContractException : Exception
{
    internal SseContractException(string check, string how)
        : base($"{check.Replace('_', ' ')}: {how}") => Check = check;

    /// <summary>The name of the check, out of <c>Checks</c> of the contract.</summary>
    public string Check { get; }
}
