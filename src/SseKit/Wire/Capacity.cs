namespace SseKit.Wire;

/// <summary>How large the arrays become that frames are made in.</summary>
internal static class Capacity
{
    /// <summary>The most that is kept with a thread, which must not hold the memory of one large event for ever.</summary>
    public const int Kept = 64 * 1024;

    /// <summary>What an array grows to that must hold so much: to twice its size at least, so that it is not copied over and over.</summary>
    public static int Grown(int capacity, long needed) => (int)Math.Min(Math.Max(256L, Math.Max(capacity * 2L, needed)), Array.MaxLength);
}
