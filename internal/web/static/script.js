'use strict';
// Times in the viewer's zone, as wide as they were, with UTC when pointed at. A format of the viewer's
// language takes a browser longer than to lay out the page.
const two = n => String(n).padStart(2, '0');
function localise(time) {
  const at = new Date(time.dateTime);
  if (isNaN(at) || time.title) return;
  time.title = time.textContent + ' UTC';
  time.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
for (const time of document.querySelectorAll('time')) localise(time);
// What the zone is called is below; it waits for the first paint.
requestAnimationFrame(() => setTimeout(() => {
  const zone = document.querySelector('.zone');
  if (zone) zone.textContent = ' in links and charts, elsewhere ' + Intl.DateTimeFormat().resolvedOptions().timeZone;
}));

// "/" goes to the search, Escape leaves it.
document.addEventListener('keydown', event => {
  const typing = event.target.matches('input, select, textarea');
  const search = document.querySelector('.search');
  if (event.key === '/' && !typing && search && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    search.select();
    search.focus();
  } else if (event.key === 'Escape' && typing) {
    event.target.blur();
  }
});

// Tables are copied as text with tabs, in which no cell is a formula.
for (const button of document.querySelectorAll('.copy')) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const rows = [...document.querySelectorAll('main table tr')];
    const text = rows.map(row => [...row.cells].filter(cell => !cell.matches('.share')).map(cell => (cell.querySelector('time')?.dateTime ?? cell.textContent).trim().replace(/^[=+@-]/, "'$&")).join('\t')).join('\n');
    await navigator.clipboard.writeText(text);
    button.textContent = `${rows.length - 1} rows copied`;
  });
}

// Dragging over the chart zooms into what was dragged over.
const chart = document.querySelector('.zoom .chart');
if (chart) {
  let from = null;
  let groups = [];
  const at = event => {
    const box = chart.getBoundingClientRect();
    const i = Math.floor((event.clientX - box.left) / box.width * groups.length);
    return Math.max(0, Math.min(groups.length - 1, i));
  };
  const mark = (a, b) => groups.forEach((g, i) => g.classList.toggle('dragged', a !== null && i >= Math.min(a, b) && i <= Math.max(a, b)));
  chart.addEventListener('dragstart', event => event.preventDefault());
  chart.addEventListener('pointerdown', event => {
    if (event.button !== 0 || event.pointerType === 'touch') return;
    groups = [...chart.querySelectorAll('g[data-from]')];
    from = at(event);
  });
  window.addEventListener('pointermove', event => { if (from !== null) mark(from, at(event)); });
  window.addEventListener('pointerup', event => {
    if (from === null) return;
    const [a, b] = [Math.min(from, at(event)), Math.max(from, at(event))];
    from = null;
    if (a === b) return mark(null);
    chart.addEventListener('click', click => { click.preventDefault(); click.stopPropagation(); }, {capture: true, once: true});
    const query = new URLSearchParams(location.search);
    query.set('since', groups[a].dataset.from);
    query.set('until', groups[b].dataset.to);
    query.delete('names');
    location.assign(location.pathname + '?' + query);
  });
}

// Events as they come, the newest first.
const state = document.querySelector('.state');
if (state) {
  const rows = document.querySelector('tbody.live');
  const most = 500;
  const stream = new EventSource(state.dataset.stream);
  state.textContent = 'Connecting.';
  stream.onopen = () => { state.textContent = 'Waiting for events; the newest are on top.'; rows.replaceChildren(); };
  stream.onerror = () => { state.textContent = 'The connection is lost; trying again.'; };
  stream.addEventListener('failure', event => {
    state.textContent = JSON.parse(event.data);
    state.classList.add('failure');
    stream.close();
  });
  stream.onmessage = event => {
    for (const e of JSON.parse(event.data)) {
      const row = document.createElement('tr');
      const time = document.createElement('time');
      time.dateTime = e.time;
      time.textContent = e.time.replace('T', ' ').slice(0, 19);
      localise(time);
      row.insertCell().append(time);
      for (const cell of e.cells) {
        const td = row.insertCell();
        if (!cell.link) { td.textContent = cell.text; continue; }
        const a = document.createElement('a');
        a.href = cell.link;
        a.textContent = cell.text;
        td.append(a);
      }
      rows.prepend(row);
    }
    while (rows.childElementCount > most) rows.lastElementChild.remove();
  };
}
