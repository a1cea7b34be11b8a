using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

/// <summary>
/// Stands for a model, without a network: it says the same to the same question, a word at a time, and goes on after what it is told that it
/// has said already. <c>Chat:WordsPerSecond</c> in the configuration sets its pace, 8 by default.
/// </summary>
internal sealed class LocalChatClient(IConfiguration configuration) : IChatClient
{
    private const string Knowledge =
        "An answer like this one takes its time, and much can happen meanwhile. The page is reloaded; a second tab looks on; the train enters a " +
        "tunnel; the laptop is closed and opened again. None of it is the model's business. It belongs to the server, which writes down every " +
        "word before it sends it, and gives each a number. A page that comes back says the last number that it has seen, and hears the rest. One " +
        "that has seen nothing hears the whole from the beginning. So no word is missing, and none comes twice. Only the button stops it.";

    private readonly TimeSpan _pause = TimeSpan.FromSeconds(1 / configuration.GetValue("Chat:WordsPerSecond", 8.0));

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var conversation = messages.ToList();
        var question = conversation.Last(message => message.Role == ChatRole.User).Text;
        var said = conversation[^1].Role == ChatRole.Assistant ? conversation[^1].Text : "";
        var rest = $"You asked: “{question}” {Knowledge}"[said.Length..];
        while (rest.Length > 0)
        {
            await Task.Delay(_pause, cancellationToken);
            var end = rest.IndexOf(' ', 1);
            var word = end < 0 ? rest : rest[..end];
            rest = rest[word.Length..];
            yield return new ChatResponseUpdate(ChatRole.Assistant, word);
        }
    }

    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
    }
}
