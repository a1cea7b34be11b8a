const $ = id => document.getElementById(id);

let opens = 0, kills = 0, gaps = 0, node = null;
let received = 0, missing = 0, repeated = 0, next = null;

const source = new EventSource('/numbers/live');

source.onopen = () => {
  node = document.cookie.match(/(?:^|; )node=([^;]*)/)?.[1] ?? '?';
  $('node').textContent = node;
  $('kill').disabled = false;
  $('reconnects').textContent = opens++;
  status('open');
  log('open', `connected to node ${node}`);
};

source.onerror = () => {
  if ($('status').dataset.state === 'open') log('lost', `connection to node ${node} lost; the browser will be back`);
  $('kill').disabled = true;
  $('node').textContent = '…';
  status(source.readyState === EventSource.CLOSED ? 'closed' : 'reconnecting');
};

source.onmessage = event => {
  const { number, by } = JSON.parse(event.data);
  $('last-id').textContent = event.lastEventId;
  $('number').textContent = number;
  next ??= number;
  received++;
  if (number < next) repeated++;
  else {
    missing += number - next;
    next = number + 1;
  }

  log('live', `number ${number}`, `by node ${by}`);
  const exact = missing + repeated === 0 ? 'yes' : 'no';
  $('verdict').dataset.exact = exact;
  $('verdict').textContent = `Every number exactly once: ${exact} (${received} received, ${missing} missing, ${repeated} repeated)`;
};

source.addEventListener('gap', event => {
  $('gaps').textContent = ++gaps;
  log('gap', 'the server can\'t go on where this page was', JSON.parse(event.data).reason);
});

$('kill').onclick = () => {
  $('kills').textContent = ++kills;
  fetch(`/kill/${node}`, { method: 'POST' });
};

function status(state) {
  $('status').dataset.state = state;
  $('status').textContent = state;
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
