// One stream through one client, and what the client made of it. Runs in Node and in the browser alike.
//
// A client is a function (url, on) that connects and returns what closes it again. It reports on.open(), on.event(type, id, data) with the
// last event id as an EventSource would have it, on.failure(error) where it is told of one, and on.end(how) when it has given up by itself.

// The longest that anything here may take; far more than it needs, and less than the tests' own patience.
const patience = 30_000;

// No stream here breaks so often: who fails like this will never get through.
const failuresToBear = 10;

export const types = ['message', 'named', 'gap', 'done'];

export function watch(client, url) {
  return new Promise(resolve => {
    const seen = { heard: [], ended: 'still there', failures: [] };
    let close;
    let over = false;
    const finish = how => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      seen.ended = how;
      seen.failures.length = Math.min(seen.failures.length, 4);
      // At once, or it comes back before it is closed.
      close?.();
      resolve(seen);
    };
    const timer = setTimeout(finish, patience, 'still there');
    const on = {
      open() {
        // Only now the stream may say its first word, where a case waits for it.
        if (new URL(url).pathname.endsWith('/early')) fetch(url.replace('/early', '/opened')).catch(() => {});
      },
      event(type, id, data) {
        if (over) return;
        seen.heard.push({ type: type || 'message', id: id ?? '', data: short(data) });
        if (type === 'done') finish('done');
      },
      failure(error) {
        if (seen.failures.push(String(error?.message ?? error)) > failuresToBear) finish('failing');
      },
      end: finish,
    };
    try {
      close = client(url, on);
      if (over) close();
    } catch (error) {
      on.failure(error);
      finish('threw');
    }
  });
}

/** A client that has the interface of EventSource. */
export function eventSource(EventSource) {
  return (url, on) => {
    const source = new EventSource(url);
    source.addEventListener('open', () => on.open());
    for (const type of types) source.addEventListener(type, e => on.event(e.type, e.lastEventId, e.data));
    source.addEventListener('error', e => {
      on.failure(e.message ?? 'error');
      if (source.readyState === 2) on.end('closed');
    });
    return () => source.close();
  };
}

// Long texts by their length and an FNV-1a hash of their UTF-16: a megabyte is not worth reporting.
function short(data) {
  if (data.length <= 1000) return data;
  let hash = 0x811c9dc5;
  for (let i = 0; i < data.length; i++) hash = Math.imul(hash ^ data.charCodeAt(i), 0x01000193) >>> 0;
  return `${data.length} characters, ${hash}`;
}
