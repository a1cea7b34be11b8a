namespace SseKit.Testing;

/// <summary>What an <see cref="SseTestItem"/> is.</summary>
public enum SseTestItemKind
{
    /// <summary>An event: a block with data, which a client hands to its handlers.</summary>
    Event,

    /// <summary>A comment, such as a keep-alive: a line that clients ignore.</summary>
    Comment,

    /// <summary>
    /// A block without data, such as the <c>id:</c> block that tells a position: a client stores its id and its retry, and calls no handler.
    /// </summary>
    Silent,
}
