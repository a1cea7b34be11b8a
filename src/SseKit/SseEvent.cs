using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Net.ServerSentEvents;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization.Metadata;
using SseKit.Wire;

namespace SseKit;

/// <summary>
/// One event of a <c>text/event-stream</c>: a payload (text, UTF-8 bytes or a value written as JSON) with its optional type, id and
/// reconnection interval; or a comment. Immutable, and a struct, so that a stream allocates nothing per event.
/// </summary>
/// <remarks>
/// <c>default(SseEvent)</c> is an event with empty data. A <see cref="string"/> converts implicitly, so <c>yield return "tick"</c> works.
/// Other fields are set with an initializer or with <c>with</c>: <c>SseEvent.Json(order) with { EventType = "created" }</c>.
/// Format: WHATWG HTML, section 9.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html).
/// </remarks>
public readonly struct SseEvent
{
    private static readonly object Utf8Marker = new();
    private static readonly object CommentMarker = new();

    // Text: a string or null. Comment: a string. JSON: the value. UTF-8: a byte[] or a MemoryManager<byte> that _start and _length cut from.
    private readonly object? _payload;

    // Null: text. A marker: UTF-8 or a comment. A JsonTypeInfo: JSON by that contract. A Type: JSON by the app's options.
    private readonly object? _format;

    private readonly int _start;
    private readonly int _length;

    // A string: the type. A KeyedType: the type, and the key besides. One field, because each of them costs every event of every stream a
    // write on its way through the iterators, and few events have a key.
    private readonly object? _type;
    private readonly string? _eventId;

    // Ticks plus one, so that default(SseEvent) has none.
    private readonly long _reconnection;

    /// <summary>Creates an event with text as its data; null counts as empty.</summary>
    /// <param name="data">The text. Each CR, LF or CRLF in it ends a line; readers get these back as LF.</param>
    public SseEvent(string? data) => _payload = data;

    /// <summary>Creates an event with text as its data and a type.</summary>
    /// <param name="data">The text; null counts as empty.</param>
    /// <param name="eventType">The event's type; see <see cref="EventType"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="eventType"/> holds CR, LF or NUL.</exception>
    public SseEvent(string? data, string? eventType)
    {
        _payload = data;
        _type = FieldRules.EventType(eventType);
    }

    private SseEvent(object? payload, object format, int start = 0, int length = 0)
    {
        _payload = payload;
        _format = format;
        _start = start;
        _length = length;
    }

    /// <summary>The text of the event; null when the payload is JSON or bytes, and for a comment.</summary>
    public string? Data => _format is null ? (string?)_payload ?? "" : null;

    /// <summary>The event's type, which EventSource dispatches by; null or empty means <c>message</c>.</summary>
    /// <exception cref="ArgumentException">The value holds CR, LF or NUL, or the event is a comment.</exception>
    public string? EventType
    {
        get => _type as string ?? (_type as KeyedType)?.EventType;
        init
        {
            RefuseOnComment(value, nameof(EventType));
            _type = TypeAndKey(FieldRules.EventType(value), Key);
        }
    }

    /// <summary>
    /// The id that the client sends back as <c>Last-Event-ID</c> when it reconnects: at most 1,024 bytes of UTF-8. Null writes no id;
    /// an empty string clears the one that the client holds. Keep to ASCII: it goes out in a header, and outside Latin-1 every client but
    /// Chromium fails all its reconnects.
    /// </summary>
    /// <exception cref="ArgumentException">The value holds CR, LF or NUL, or is too long, or the event is a comment.</exception>
    public string? EventId
    {
        get => _eventId;
        init
        {
            RefuseOnComment(value, nameof(EventId));
            _eventId = FieldRules.EventId(value);
        }
    }

    /// <summary>
    /// Topics: whom or what the event is about, for <see cref="SseStreamOptions.Filter"/> to choose by without looking into the payload. It is
    /// kept with the event and never sent to a client. At most 1,024 bytes of UTF-8; null or empty is none.
    /// </summary>
    /// <exception cref="ArgumentException">The value is too long, or holds NUL or half a surrogate pair, or the event is a comment.</exception>
    public string? Key
    {
        get => (_type as KeyedType)?.Key;
        init
        {
            RefuseOnComment(value, nameof(Key));
            _type = TypeAndKey(EventType, FieldRules.Key(value));
        }
    }

    /// <summary>
    /// How long the client is to wait before it reconnects, from now on; whole milliseconds, zero or more. Written as <c>retry:</c>.
    /// It stays with the client's EventSource until another one comes.
    /// </summary>
    /// <exception cref="ArgumentException">The value is negative.</exception>
    public TimeSpan? ReconnectionInterval
    {
        get => _reconnection == 0 ? null : TimeSpan.FromTicks(_reconnection - 1);
        init => _reconnection = FieldRules.ReconnectionInterval(value) is { } interval ? interval.Ticks + 1 : 0;
    }

    internal bool IsComment => ReferenceEquals(_format, CommentMarker);

    internal bool IsUtf8 => ReferenceEquals(_format, Utf8Marker);

    internal bool IsText => _format is null;

    internal bool IsJson => !IsText && !IsUtf8 && !IsComment;

    /// <summary>The text of the event or of the comment.</summary>
    internal string Text => (string?)_payload ?? "";

    internal object? JsonValue => _payload;

    /// <summary>The contract to write <see cref="JsonValue"/> with; null means: by the app's options, as <see cref="JsonType"/>.</summary>
    internal JsonTypeInfo? JsonContract => _format as JsonTypeInfo;

    internal Type? JsonType => _format as Type;

    internal ReadOnlyMemory<byte> Utf8Data => _payload switch
    {
        byte[] array => new ReadOnlyMemory<byte>(array, _start, _length),
        MemoryManager<byte> manager => manager.Memory.Slice(_start, _length),
        _ => default,
    };

    /// <summary>Creates an event whose data is given as UTF-8.</summary>
    /// <param name="utf8">
    /// The bytes. They are not copied: leave them as they are until the next event is asked for, or until <c>PublishAsync</c> has returned.
    /// Line ends split them as they split text; invalid UTF-8 becomes U+FFFD.
    /// </param>
    /// <returns>The event.</returns>
    public static SseEvent Utf8(ReadOnlyMemory<byte> utf8)
    {
        if (MemoryMarshal.TryGetArray(utf8, out var array))
        {
            return new SseEvent(array.Array, Utf8Marker, array.Offset, array.Count);
        }

        return MemoryMarshal.TryGetMemoryManager<byte, MemoryManager<byte>>(utf8, out var manager, out var start, out var length)
            ? new SseEvent(manager, Utf8Marker, start, length)
            : new SseEvent(utf8.ToArray(), Utf8Marker, 0, utf8.Length);
    }

    /// <summary>
    /// Creates an event whose data is <paramref name="value"/> as JSON, by the app's <c>Microsoft.AspNetCore.Http.Json.JsonOptions</c>
    /// (in MVC too) or by <see cref="SseOptions.JsonSerializerOptions"/> where that is set.
    /// </summary>
    /// <typeparam name="T">The type whose contract is used; a derived value is written by its own, as minimal APIs do.</typeparam>
    /// <param name="value">The value. It is written before the source is asked for more, so changing it later does no harm.</param>
    /// <returns>The event.</returns>
    public static SseEvent Json<T>(T value) => new(value, typeof(T));

    /// <summary>Creates an event whose data is <paramref name="value"/> as JSON by a given contract (source generation, no reflection).</summary>
    /// <typeparam name="T">The type of the value.</typeparam>
    /// <param name="value">The value.</param>
    /// <param name="jsonTypeInfo">The contract, as a <c>JsonSerializerContext</c> holds it.</param>
    /// <returns>The event.</returns>
    public static SseEvent Json<T>(T value, JsonTypeInfo<T> jsonTypeInfo)
    {
        ArgumentNullException.ThrowIfNull(jsonTypeInfo);
        return new(value, jsonTypeInfo);
    }

    /// <summary>
    /// Creates a comment, which clients ignore: one line <c>: text</c> for each line of <paramref name="text"/>. It can carry a
    /// <see cref="ReconnectionInterval"/>, and neither a type nor an id.
    /// </summary>
    /// <param name="text">The text; it may be empty.</param>
    /// <returns>The comment.</returns>
    public static SseEvent Comment(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new(text, CommentMarker);
    }

    /// <summary>
    /// Takes over an event of the framework's own type: a <see cref="string"/> is text, a <see cref="byte"/> array is UTF-8, anything else
    /// becomes JSON, as <c>TypedResults.ServerSentEvents</c> does.
    /// </summary>
    /// <typeparam name="T">The type of the item's data.</typeparam>
    /// <param name="item">The item.</param>
    /// <returns>The event.</returns>
    /// <exception cref="ArgumentException">The item's type or id can't be written; the message names the field.</exception>
    public static SseEvent From<T>(SseItem<T> item) => item.Data switch
    {
        string text => With(new SseEvent(text), item),
        byte[] utf8 => With(Utf8(utf8), item),
        null when typeof(T) == typeof(string) || typeof(T) == typeof(byte[]) => With(default, item),
        _ => With(Json(item.Data), item),
    };

    /// <summary>Takes over an event of the framework's own type, with its data as JSON by a given contract.</summary>
    /// <typeparam name="T">The type of the item's data.</typeparam>
    /// <param name="item">The item.</param>
    /// <param name="jsonTypeInfo">The contract.</param>
    /// <returns>The event.</returns>
    /// <exception cref="ArgumentException">The item's type or id can't be written; the message names the field.</exception>
    public static SseEvent From<T>(SseItem<T> item, JsonTypeInfo<T> jsonTypeInfo) => With(Json(item.Data, jsonTypeInfo), item);

    /// <summary>An event with text as its data.</summary>
    /// <param name="data">The text; null counts as empty.</param>
    [SuppressMessage("Usage", "CA2225:Operator overloads have named alternates", Justification = "The constructor is the named form.")]
    public static implicit operator SseEvent(string? data) => new(data);

    /// <summary>An event of the framework's own type with text as its data.</summary>
    /// <param name="item">The item.</param>
    [SuppressMessage("Usage", "CA2225:Operator overloads have named alternates", Justification = "From is the named form.")]
    public static implicit operator SseEvent(SseItem<string> item) => From(item);

    /// <summary>The event as a person would note it down; not the form on the wire.</summary>
    /// <returns>The type, the id and the kind of payload.</returns>
    public override string ToString()
    {
        var payload = IsComment ? $": {Text}" : IsText ? Text : IsUtf8 ? $"{_length} bytes" : $"JSON of {_payload?.GetType().Name ?? "null"}";
        return $"{(string.IsNullOrEmpty(EventType) ? "message" : EventType)}{(_eventId is null ? "" : $" #{_eventId}")}: {payload}";
    }

    private static SseEvent With<T>(SseEvent data, SseItem<T> item) => data with
    {
        // SseItem answers "message" where none was given, and the two mean the same to a client: the shorter one is written.
        EventType = item.EventType == SseParser.EventTypeDefault ? null : item.EventType,
        EventId = item.EventId,
        ReconnectionInterval = item.ReconnectionInterval,
    };

    private static object? TypeAndKey(string? eventType, string? key) => key is null ? eventType : new KeyedType(eventType, key);

    private void RefuseOnComment(string? value, string field)
    {
        if (value is not null && IsComment)
        {
            throw new ArgumentException($"A comment has no {field}: clients ignore comments as a whole. Send an event with data instead.", field);
        }
    }

    private sealed class KeyedType(string? eventType, string key)
    {
        public string? EventType => eventType;

        public string Key => key;
    }
}
