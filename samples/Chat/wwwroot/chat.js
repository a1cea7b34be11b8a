const $ = id => document.getElementById(id);
let source = null;

// The answer's id is in the address: a reload, a second tab and the way back all lead to the same answer.
addEventListener('hashchange', show);
show();
list();
setInterval(list, 2000);

function show() {
  const id = location.hash.slice(1);
  source?.close();
  $('chat').hidden = !id;
  $('asked').textContent = $('answer').textContent = $('end').textContent = '';
  status(id ? 'connecting' : 'idle');
  if (!id) return;

  // From the beginning; and where it was cut off, the browser goes on after the last event that it has seen.
  source = new EventSource(`/chat/${id}`);
  source.onopen = () => { status('open'); $('stop').hidden = false; list(); };
  source.onerror = () => source.readyState === EventSource.CLOSED ? end('gone') : status('reconnecting');
  source.addEventListener('question', event => $('asked').textContent = event.data);
  source.onmessage = event => $('answer').append(event.data);
  source.addEventListener('end', event => end(JSON.parse(event.data).state));
}

function end(state) {
  source.close();
  status(state);
  $('stop').hidden = true;
  $('end').textContent = {
    done: 'That was all.',
    failed: 'The model failed.',
    cancelled: 'Stopped.',
    lost: 'The server was restarted, and the rest is lost.',
    gone: 'There is no such answer (any more).',
  }[state] ?? state;
  list();
}

$('ask').onsubmit = async event => {
  event.preventDefault();
  const response = await fetch('/chat', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ text: $('question').value }),
  });
  location.hash = (await response.json()).id;
};

$('stop').onclick = () => fetch(`/chat/${location.hash.slice(1)}/stop`, { method: 'POST' });

async function list() {
  const ids = await fetch('/chats').then(response => response.json()).catch(() => null);
  if (!ids) return;
  $('running').replaceChildren(...ids.map(id => {
    const row = document.createElement('li');
    row.append(Object.assign(document.createElement('a'), { href: `#${id}`, textContent: id }));
    return row;
  }));
}

function status(state) {
  $('status').dataset.state = state;
  $('status').textContent = state;
}
