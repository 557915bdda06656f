// The frame's few lines in the browser: colours, address bar, copying, saving, tabs.
import { language, switched } from './language.js';
import { say } from './wire.js';

const root = document.documentElement;
export const keep = {
  get: (key) => { try { return localStorage.getItem('glassbox-' + key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem('glassbox-' + key, value); } catch { /* private mode */ } },
};
const links = {};                          // slug -> query string of its state
const seen = new Set();                    // tabs that were opened
let active = null;                         // slug of the tab on screen; null until the page stands
let expected = null;                       // the tab that a link names, until gradio shows it

// Gradio sets the class from the system's preference while it mounts; a choice made here wins over that.
function enforce() {
  const chosen = new URLSearchParams(location.search).get('__theme') ? null : keep.get('theme');
  if (chosen) document.body.classList.toggle('dark', chosen === 'dark');
}

// The tabs' queries replace each other in the address bar; keys that start with "__" belong to Gradio and stay.
function address(query) {
  const url = new URL(location.href);
  const own = [...url.searchParams].filter(([key]) => key.startsWith('__'));
  const next = new URLSearchParams(query);
  for (const [key, value] of own) next.set(key, value);
  while (String(next).length >= 6000) {                              // what is too long for an address goes, rather than an old one staying
    const [longest] = [...next].sort((a, b) => b[1].length - a[1].length)[0];
    next.delete(longest);
  }
  history.replaceState(history.state, '', '?' + next + url.hash);
}

export function remember(slug, query) {
  links[slug] = query;
  if (slug === active) address(query);
}

function open(slug, link) {
  if (seen.has(slug)) return;
  seen.add(slug);
  say(slug, { kind: 'open', link });
}

export function opened(slug) {
  if (expected) { if (slug === expected) expected = null; return; }
  if (active === null || slug === active) return;
  active = slug;
  address(links[slug] || 'tab=' + slug);
  open(slug, '');
}

async function machine() {
  const { state, text } = await (await fetch(new URL('../status', import.meta.url))).json();
  const place = document.getElementById('gb-status');
  place.querySelector('.gb-dot').dataset.state = state;
  place.querySelector('.gb-dot').nextElementSibling.textContent = text;
}

// The page stands: opens the tab that the address names, with the state of its link.
export function ready(slugs) {
  const query = new URLSearchParams(location.search);
  const named = slugs.includes(query.get('tab'));
  active = named ? query.get('tab') : slugs[0];
  expected = active === slugs[0] ? null : active;
  root.dataset.tab = active;
  machine();
  const says = [...query.keys()].some((key) => key !== 'tab' && !key.startsWith('__'));
  open(active, named && says ? location.search : '');
  root.dataset.ready = 'true';
  return { selected: active, __type__: 'update' };
}

export function element(tag, attributes, text) {
  const node = Object.assign(document.createElement(tag), attributes);
  if (text) node.textContent = text;
  return node;
}

function dialog() {
  const found = document.getElementById('gb-share');
  if (found) return found;
  const box = element('dialog', { id: 'gb-share' });
  const title = element('h2', { id: 'gb-share-title' });
  box.setAttribute('aria-labelledby', title.id);
  const field = element('textarea', { id: 'gb-share-text', readOnly: true, spellcheck: false, translate: false });
  field.setAttribute('aria-labelledby', title.id);
  const note = element('p', { id: 'gb-share-note' });
  note.setAttribute('role', 'status');
  const close = element('button', { type: 'button', id: 'gb-share-close' }, 'Close');
  close.addEventListener('click', () => box.close());
  box.addEventListener('click', (event) => { if (event.target === box) box.close(); });
  box.append(title, field, note, close);
  (document.querySelector('.gradio-container') || document.body).append(box);
  return box;
}

async function copied(text) {
  try { await navigator.clipboard.writeText(text); return true; } catch { return false; }
}

// Shows the text selected in a read-only field, so that it can be taken without the clipboard permission as well.
export async function share(kind, text) {
  const box = dialog();
  const link = kind === 'link';
  const whole = link ? location.origin + location.pathname + '?' + text : text;
  box.querySelector('h2').textContent = link ? 'Link to this view' : 'Python for this view';
  const field = box.querySelector('textarea');
  field.value = whole;
  field.rows = link ? 3 : 16;
  field.wrap = link ? 'soft' : 'off';
  box.querySelector('p').textContent = '';
  if (!box.open) box.showModal();
  field.focus();
  field.select();
  field.scrollTop = 0;
  const done = await copied(whole);
  box.querySelector('p').textContent = done ? 'Copied.' : 'Selected: press Ctrl+C or ⌘C.';
  box.dataset.copied = done;
}

// A details element that an answer draws anew below `element` stays as the visitor left it.
export function folds(element) {
  const open = new Set();
  element.addEventListener('toggle', ({ target }) => open[target.open ? 'add' : 'delete'](target.dataset.fold), true);
  const again = () => { for (const one of element.querySelectorAll('[data-fold]')) one.open ||= open.has(one.dataset.fold); };
  new MutationObserver(again).observe(element, { childList: true, subtree: true });
}

// The meaning of a word of the glossary stands below the word, or above it where there is no room.
function placed({ target, newState }) {
  if (newState !== 'open' || !target.matches?.('.gb-meaning')) return;
  const word = document.querySelector(`[popovertarget="${target.id}"]`).getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = target;
  const top = word.bottom + height + 12 < innerHeight ? word.bottom + 4 : word.top - height - 4;
  target.style.left = `${scrollX + Math.max(8, Math.min(word.left, innerWidth - width - 8))}px`;
  target.style.top = `${scrollY + top}px`;
}

// The text of a block to the clipboard; where that is not allowed it is selected.
async function copy(button) {
  const block = button.closest('figure').querySelector('pre');
  const done = await copied(block.textContent);
  if (!done) getSelection().selectAllChildren(block);
  button.textContent = done ? 'Copied.' : 'Selected: press Ctrl+C or ⌘C.';
}

// Fill an element with a page's own HTML file.
export async function fetched(element, name) {
  element.firstElementChild.innerHTML = await (await fetch(new URL('../' + name, import.meta.url))).text();
}

export function save(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type: type || 'text/plain' });
  const url = URL.createObjectURL(blob);
  element('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

// Arrow keys move between tabs, as the tab pattern promises.
function arrows(event) {
  const here = event.target.closest?.('[role=tab]');
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!here || !step) return;
  const all = [...here.parentElement.querySelectorAll('[role=tab]')].filter((tab) => tab.offsetParent);
  const next = all[(all.indexOf(here) + step + all.length) % all.length];
  next.focus();
  next.click();
}

function pressed(event) {
  const block = event.target.closest?.('[data-copy]');
  if (block) copy(block);
  const what = event.target.closest?.('[data-glassbox]')?.dataset.glassbox;
  if (what === 'theme') {
    keep.set('theme', document.body.classList.contains('dark') ? 'light' : 'dark');
    enforce();
  } else if (what === 'language') {
    keep.set('language', root.dataset.language === 'zh' ? 'en' : 'zh');
    switched(keep.get('language'));
  }
}

switched(keep.get('language') || language());
document.addEventListener('click', pressed);
document.addEventListener('click', (event) => { if (event.target.closest?.('[role=tab]')) expected = null; }, true);
document.addEventListener('keydown', arrows);
document.addEventListener('toggle', placed, true);
enforce();
new MutationObserver(enforce).observe(document.body, { attributes: true, attributeFilter: ['class'] });
