namespace SseKit;

/// <summary>
/// What a store needs besides <see cref="ISseBacklog"/> for producers (<see cref="ISseProducers"/>): it keeps for each topic which process may
/// publish to it. An <see cref="ISseBacklog"/> that implements this as well can hold producers; without it they fail to start, by name.
/// </summary>
/// <remarks>
/// <para>The contract. All members are called from many threads and nodes at once, for the same topic too; each is one atomic step, of one order
/// with the appends to the topic. Time is the store's.</para>
/// <para><b>Fencing.</b> Appending throws <see cref="SseFencedException"/>, and stores nothing, where the topic has a lease and
/// <see cref="SseAppend.Fence"/> is not its number, where that or <see cref="SseAppend.Outcome"/> is given and the topic has no lease, where it has
/// ended, and where it is to stop and the append is not its end. That a lease has run out is no reason while nobody has taken it over. Of
/// several events that are appended together, the first has the fence of all, and only the last can be the end.</para>
/// <para><b>The end.</b> An append with a <see cref="SseAppend.Outcome"/> stores the event and ends the lease with it, in one step. From then on
/// <see cref="SseSlice.IsEnded"/> is true.</para>
/// <para><b>Retention.</b> While a topic has a lease nothing of it is trimmed, and it is not dropped for being idle. <c>RetainFor</c> after the end,
/// or after a lease that nobody took over has run out, lease and topic go together; a topic of the same name is then a new one.</para>
/// </remarks>
public interface ISseLeases
{
    /// <summary>Takes a topic for a producer.</summary>
    /// <param name="topic">The topic; already checked.</param>
    /// <param name="terms">What is asked for.</param>
    /// <param name="cancellationToken">Ends the attempt; whether it was granted is not known then.</param>
    /// <returns>
    /// The lease as it is now; <see cref="SseLease.Granted"/> where it is the caller's. A request to stop stays with a lease that is taken over.
    /// </returns>
    /// <exception cref="InvalidOperationException">The topic has no lease but events: they were published to it.</exception>
    ValueTask<SseLease> AcquireAsync(string topic, SseLeaseTerms terms, CancellationToken cancellationToken);

    /// <summary>Makes a lease hold for another while, also where it has run out and nobody has taken it over.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="fence">The number of the caller's lease; where it is not the newest, or has ended, nothing changes.</param>
    /// <param name="duration">For how long.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The lease as it is now.</returns>
    ValueTask<SseLease> RenewAsync(string topic, long fence, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Says that a node has readers of the topic.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="node">The node.</param>
    /// <param name="duration">For how long that holds unless it is said again; zero: it has none any more.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The lease as it is now.</returns>
    ValueTask<SseLease> AttendAsync(string topic, string node, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Asks the holder to stop, whoever it is, now or after a take-over.</summary>
    /// <param name="topic">The topic. Where there is none, or it has ended, nothing changes.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The lease as it is now.</returns>
    ValueTask<SseLease> StopAsync(string topic, CancellationToken cancellationToken);

    /// <summary>Gives a lease up before the end, so that it can be taken over at once.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="fence">The number of the caller's lease; where it is not the newest, nothing changes.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The lease as it is now.</returns>
    ValueTask<SseLease> ReleaseAsync(string topic, long fence, CancellationToken cancellationToken);

    /// <summary>Looks at a topic's lease.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>The lease as it is now.</returns>
    ValueTask<SseLease> FindAsync(string topic, CancellationToken cancellationToken);
}
