// Reads one case a line, {"bytes": base64, "chunks": [sizes, used over and over]}, and answers each with one line: the events that
// eventsource-parser sees when the bytes arrive in these chunks, and the retries. Asked by the C# tests.
import { createInterface } from 'node:readline';
import { createParser } from 'eventsource-parser';

for await (const line of createInterface({ input: process.stdin })) {
  const { bytes, chunks } = JSON.parse(line);
  process.stdout.write(JSON.stringify(parse(Buffer.from(bytes, 'base64'), chunks)) + '\n');
}

function parse(bytes, chunks) {
  const seen = { events: [], retries: [], comments: [], errors: [] };
  const parser = createParser({
    onEvent: ({ data, event, id }) => seen.events.push({ data, type: event, id }),
    onRetry: (milliseconds) => seen.retries.push(milliseconds),
    onComment: (text) => seen.comments.push(text),
    // It quotes the first characters of a line and may cut one in two, which no JSON reader but Node's own takes.
    onError: ({ message }) => seen.errors.push(Buffer.from(message).toString()),
  });
  // As fetch does: a character may be split between two chunks, and a BOM at the very start is no part of the text.
  const decoder = new TextDecoder();
  for (let at = 0, next = 0; at < bytes.length; next++) {
    const size = chunks[next % chunks.length];
    parser.feed(decoder.decode(bytes.subarray(at, at + size), { stream: true }));
    at += size;
  }
  return seen;
}
