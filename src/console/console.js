// The pages are complete without this. It adds news, times of a zone, countdowns and single keys.
const root = document.documentElement;
const policy = self.trustedTypes?.createPolicy('ferry', { createHTML: (html) => html });
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// HTML enters here alone: as a document of its own, in which nothing runs.
const parsed = (html) =>
  new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, 'text/html');

// Times. The server's clock counts: `offset` is by how much it is ahead.
let offset = 0;
const synchronize = (html) => { offset = Date.parse(html.dataset.now) - Date.now(); };
synchronize(root);

const zone = root.dataset.zone === 'local' ? Intl.DateTimeFormat().resolvedOptions().timeZone : root.dataset.zone;
let format = null;
try {
  if (zone && zone !== 'UTC') {
    format = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: zone });
  }
} catch { /* A zone that this browser does not know: UTC stays. */ }

function left(until) {
  const seconds = Math.round((until - Date.now() - offset) / 1000);
  if (seconds <= 0) return 'now';
  if (seconds < 60) return `in ${seconds} s`;
  if (seconds < 3600) return `in ${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `in ${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`;
}

function localize(within) {
  for (const time of all('time', within)) {
    const at = new Date(time.dateTime);
    const shown = format ? format.format(at) : time.dataset.utc ?? time.textContent;
    time.dataset.utc ??= time.textContent;
    if (format) time.title = time.dataset.utc;
    const text = 'until' in time.dataset ? `${shown}, ${left(at)}` : shown;
    if (time.textContent !== text) time.textContent = text;
  }
}

// Regions, as the server made them: the script changes times.
const served = new Map();
const learn = (within) => all('[data-region]', within).forEach((r) => served.set(r.dataset.region, r.outerHTML));
learn(document);
localize(document);
for (const name of all('[data-zone-name]')) name.textContent = format ? zone : 'UTC';
setInterval(() => { if (!document.hidden && document.querySelector('[data-until]')) localize(document); }, 1000);

// One who works in a region is not disturbed.
const isStill = document.querySelector('[data-still]') !== null;
const isBusy = (region) =>
  region.contains(document.activeElement) || region.querySelector('details[open]') !== null;

function merge(fresh) {
  synchronize(fresh.documentElement);
  const known = new Set(all('[data-row]').map((row) => row.dataset.row));
  for (const region of all('[data-region]', fresh)) {
    const key = region.dataset.region;
    const old = all('[data-region]').find((one) => one.dataset.region === key);
    if (!old || served.get(key) === region.outerHTML || isBusy(old)) continue;
    served.set(key, region.outerHTML);
    const adopted = document.adoptNode(region);
    for (const { value } of all('input[name="id"]:checked', old)) {
      adopted.querySelector(`input[value="${value}"]`).checked = true;
    }
    learn(adopted);
    localize(adopted);
    if (key !== 'now') adopted.classList.add('fresh');
    old.replaceWith(adopted);
  }
  // Rows are neither moved nor inserted.
  const newer = document.getElementById('newer');
  const unknown = all('[data-row]', fresh).filter((row) => !known.has(row.dataset.row)).length;
  if (newer && unknown > 0) {
    const link = document.createElement('a');
    link.href = location.href;
    link.textContent = `${unknown} newer: show`;
    newer.replaceChildren(link);
    newer.hidden = false;
  }
}

const news = document.getElementById('news');
function say(text, link) {
  const shown = link ? [text, Object.assign(document.createElement('a'), link)] : [text];
  if (news.textContent !== text + (link?.textContent ?? '')) news.replaceChildren(...shown);
}

// The page asks for itself again: once a second at most, and never while it is hidden.
let timer = 0;
let last = -1000;
let isStale = false;
let isLive = true;
function refresh(delay = 0) {
  if (isStill) return;
  isStale = document.hidden;
  if (isStale || timer) return;
  timer = setTimeout(ask, Math.max(delay, last + 1000 - performance.now()));
}

async function ask() {
  timer = 0;
  last = performance.now();
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' }, redirect: 'manual' });
    if (response.type === 'opaqueredirect') {
      const next = encodeURIComponent(location.pathname + location.search);
      say('The session has ended. ', { href: `/console/login?next=${next}`, textContent: 'Log in' });
      return;
    }
    if (!response.ok && response.status !== 503) return;
    const fresh = parsed(await response.text());
    if (response.status === 503 && !fresh.querySelector('[data-region="verdict"]')) throw response;
    merge(fresh);
    say(isLive ? '' : 'No live news: asking every 10 s.');
  } catch (failed) {
    const after = Number(failed?.headers?.get('retry-after')) || 10;
    say(`The server or its store cannot be reached: asking again in ${after} s.`);
    refresh(after * 1000);
  }
}

// News. One tab has the stream and shares it; a hidden tab wants none.
const about = document.querySelector('[data-about]')?.dataset.about;
const channel = new BroadcastChannel('ferry-news');
const concerns = (change) => !about || change.many || change.ids.includes(about);
channel.onmessage = ({ data }) => {
  isLive = data.live;
  if (!isLive || data.all || concerns(data)) refresh();
};
function share(data) {
  channel.postMessage(data);
  channel.onmessage({ data });
}

function stream(signal) {
  return new Promise((resolve) => {
    const source = new EventSource('/console/news');
    const end = () => { source.close(); resolve(); };
    let wasLive = true;
    source.onopen = () => { if (!wasLive) share({ live: true, all: true }); wasLive = true; };
    source.onmessage = ({ data }) => share({ live: true, ...JSON.parse(data) });
    source.onerror = () => {
      wasLive = false;
      share({ live: false });
      if (source.readyState === EventSource.CLOSED) setTimeout(end, 5000);
    };
    signal.addEventListener('abort', end);
  });
}

let watching = null;
async function watch() {
  if (isStill || watching || document.hidden) return;
  const { signal } = (watching = new AbortController());
  try {
    while (!signal.aborted) await navigator.locks.request('ferry-news', { signal }, () => stream(signal));
  } catch { /* It was hidden while it waited. */ }
}
setInterval(() => { if (!isLive) refresh(); }, 10000);
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    watching?.abort();
    watching = null;
    clearTimeout(timer);
    isStale ||= timer !== 0;
    timer = 0;
  } else {
    watch();
    // What happened meanwhile is not known.
    refresh();
  }
});
if (!isStill && navigator.locks) watch();

// The next batch of many follows by itself; between two there is time to stop.
const next = document.querySelector('form[data-next]');
if (next) {
  next.querySelector('a').focus();
  setTimeout(() => { next.querySelector('a').hidden = true; next.requestSubmit(); }, 800);
}

// Single keys.
let before = '';
function step(by) {
  const links = all('[data-row] a');
  const at = links.indexOf(document.activeElement);
  const to = at < 0 ? 0 : Math.min(Math.max(at + by, 0), links.length - 1);
  links[to]?.focus();
}
function press(event) {
  const typing = event.target.closest('input, select, textarea, [contenteditable]');
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const chord = before === 'g' ? document.querySelector(`[data-key="${CSS.escape(event.key)}"]`) : null;
  before = event.key;
  const does = {
    '/': () => (document.getElementById('filter') ?? { focus: () => location.assign('/console/submissions') }).focus(),
    j: () => step(1),
    k: () => step(-1),
    x: () => document.activeElement.closest('[data-row]')?.querySelector('input[name="id"]')?.click(),
    '?': () => location.assign('/console/preferences'),
  }[event.key];
  if (chord) chord.click();
  else if (does) { event.preventDefault(); does(); }
}
if (root.dataset.keys !== 'off') document.addEventListener('keydown', press);
