const $ = id => document.getElementById(id);
const tab = Math.random().toString(36).slice(2);

let opens = 0, attempts = 0, openedAt = 0;
let replayed = 0, gaps = 0;

// The verdict is about the numbers since the page was opened, or since the last snapshot.
let count = { received: 0, missing: 0, repeated: 0, next: null, since: '' };

// By how much this clock is ahead of the server's, at most: the least time that any event seemed to travel.
let ahead = Infinity;

const source = new EventSource(`/numbers/live?tab=${tab}`);

source.onopen = () => {
  openedAt = Date.now();
  attempts = 0;
  log('open', opens++ === 0 ? 'connected' : 'connected again');
  $('reconnects').textContent = opens - 1;
  status('open');
};

source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) {
    log('lost', 'closed for good');
    status('closed');
  } else {
    if (attempts++ === 0) log('lost', 'connection lost; the browser will be back');
    status(opens === 0 ? 'connecting' : 'reconnecting', attempts > 1 ? ` · attempt ${attempts}` : '');
  }
};

source.onmessage = event => {
  const { number, at } = JSON.parse(event.data);
  $('last-id').textContent = event.lastEventId;

  // What is published while a snapshot is made is in the snapshot and follows it.
  if (number <= count.snapshot) return;

  count.next ??= number;
  count.received++;
  if (number < count.next) count.repeated++;
  else {
    count.missing += number - count.next;
    count.next = number + 1;
  }

  // Replayed is what was published before this connection was open.
  const now = Date.now(), published = Date.parse(at);
  ahead = Math.min(ahead, now - published);
  const late = (now - published - ahead) / 1000;
  const isReplayed = published + ahead < openedAt;
  if (isReplayed) $('replayed').textContent = ++replayed;

  $('number').textContent = number;
  bar(isReplayed ? 'replayed' : 'live', number, late);
  log(isReplayed ? 'replayed' : 'live', `number ${number}`, isReplayed ? `${late.toFixed(1)} s late` : '');
  verdict();
};

source.addEventListener('gap', event => {
  $('gaps').textContent = ++gaps;
  log('gap', 'the server can\'t go on where this page was', JSON.parse(event.data).reason);
});

source.addEventListener('snapshot', event => {
  const { number } = JSON.parse(event.data);
  $('last-id').textContent = event.lastEventId;
  $('number').textContent = number;
  count = { received: 0, missing: 0, repeated: 0, next: number + 1, snapshot: number, since: ` since the snapshot at ${number}` };
  bar('snapshot', number, 0);
  log('snapshot', `the server is at number ${number}`);
  verdict();
});

$('pull').onclick = () => pull(0);
$('pull-long').onclick = () => pull(10);

function pull(seconds) {
  fetch(`/plug/${tab}?seconds=${seconds}`, { method: 'POST' });
}

function status(state, more = '') {
  $('status').dataset.state = state;
  $('status').textContent = state + more;
}

function verdict() {
  const { received, missing, repeated, since } = count;
  const exact = missing + repeated === 0 ? 'yes' : 'no';
  $('verdict').dataset.exact = exact;
  $('verdict').textContent = `Every number exactly once${since}: ${exact} (${received} received, ${missing} missing, ${repeated} repeated)`;
}

function bar(kind, number, late) {
  const bar = document.createElement('i');
  bar.className = kind;
  bar.title = `${number}, ${kind}`;
  bar.dataset.late = late;
  if (number % 5 === 0 || kind === 'snapshot') bar.dataset.label = number;
  $('tape').append(bar);
  while ($('tape').children.length > 60) $('tape').firstChild.remove();
  const bars = [...$('tape').children];
  const highest = Math.max(4, ...bars.map(b => b.dataset.late));
  for (const b of bars) b.style.height = `${8 + 92 * b.dataset.late / highest}%`;
}

function log(kind, text, note = '') {
  const row = document.createElement('li');
  row.dataset.kind = kind;
  for (const part of [new Date().toLocaleTimeString([], { hour12: false }), kind, text, note]) {
    row.append(Object.assign(document.createElement('span'), { textContent: part }), ' ');
  }
  $('log').prepend(row);
  while ($('log').children.length > 200) $('log').lastChild.remove();
}
