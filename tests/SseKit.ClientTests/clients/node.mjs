// The clients that run in Node: node node.mjs <address> own/plain wrapped/x=only-client ... writes one JSON line for each stream that came to its end.
import { EventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import { createParser } from 'eventsource-parser';
import { EventSource as UndiciEventSource } from 'undici';
import { eventSource, watch } from './watch.mjs';

const [address, ...sources] = process.argv.slice(2);
const wanted = sources.map(source => source.split('='));

const clients = {
  'eventsource': eventSource(EventSource),
  'undici': eventSource(UndiciEventSource),
  'eventsource-client': (url, on) => {
    let last = '';
    const client = createEventSource({
      url,
      onConnect: () => on.open(),
      // It gives the id of this event only; an EventSource remembers.
      onMessage: e => on.event(e.event, last = e.id ?? last, e.data),
      onScheduleReconnect: () => on.failure('disconnected'),
      onDisconnect: () => setTimeout(() => client.readyState === 'closed' && on.end('closed')),
    });
    return () => client.close();
  },
  'eventsource-parser': (url, on) => {
    const stop = new AbortController();
    parse(url, on, stop.signal).catch(error => { on.failure(error); on.end('threw'); });
    return () => stop.abort();
  },
};

// A parser connects to nothing, so this is what its users write around it.
async function parse(url, on, signal) {
  let last = '', retry = 1000;
  const parser = createParser({
    onEvent: e => on.event(e.event, last = e.id ?? last, e.data),
    onRetry: interval => retry = interval,
  });
  while (!signal.aborted) {
    try {
      const response = await fetch(url, { headers: last ? { 'Last-Event-ID': last } : {}, signal });
      if (response.status === 204) return on.end('closed');
      on.open();
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) parser.feed(text);
      on.failure('disconnected');
    } catch (error) {
      on.failure(error);
    }
    parser.reset();
    await new Promise(again => setTimeout(again, retry));
  }
}

await Promise.all(Object.keys(clients).flatMap(client => wanted.filter(([, only]) => !only || only === client).map(async ([source]) => {
  const seen = await watch(clients[client], `${address}/${source}?client=${client}`);
  process.stdout.write(JSON.stringify({ client, source, ...seen }) + '\n');
})));
process.exit(0);
