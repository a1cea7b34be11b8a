using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using SseKit;

/// <summary>A model's answer as events: the question, then each piece as it comes.</summary>
internal static class Answers
{
    public static string Topic(string id) => $"chat/{id}";

    // The question is the first event: every page can show it, and another process can go on with the answer.
    public static async IAsyncEnumerable<SseEvent> Begin(
        IServiceProvider services, string question, [EnumeratorCancellation] CancellationToken stop)
    {
        yield return new SseEvent(question, "question") { ReconnectionInterval = TimeSpan.FromSeconds(1) };
        await foreach (var piece in Ask(services, stop, new ChatMessage(ChatRole.User, question)))
        {
            yield return piece;
        }
    }

    // The process that ran it is gone. Its events are not: the model is given what was said so far, and says the rest.
    public static async IAsyncEnumerable<SseEvent> GoOn(
        IServiceProvider services, string id, SseEvent? last, [EnumeratorCancellation] CancellationToken stop)
    {
        if (last is not { EventId: { } lastId })
        {
            throw new InvalidOperationException("The process was gone before it could store the question.");
        }

        var events = services.GetRequiredService<ISseTopics>().SubscribeAsync(Topic(id), start: SseStart.Earliest, cancellationToken: stop);
        var (question, said) = ("", "");
        await foreach (var item in events)
        {
            (question, said) = item.EventType == "question" ? (item.Data!, said) : (question, said + item.Data);
            if (item.EventId == lastId)
            {
                break;
            }
        }

        await foreach (var piece in Ask(services, stop, new ChatMessage(ChatRole.User, question), new ChatMessage(ChatRole.Assistant, said)))
        {
            yield return piece;
        }
    }

    private static async IAsyncEnumerable<SseEvent> Ask(
        IServiceProvider services, [EnumeratorCancellation] CancellationToken stop, params ChatMessage[] messages)
    {
        await foreach (var update in services.GetRequiredService<IChatClient>().GetStreamingResponseAsync(messages, cancellationToken: stop))
        {
            if (update.Text.Length > 0)
            {
                yield return update.Text;
            }
        }
    }
}
