// The frame's few lines in the browser: colours, address bar, copying, saving, tabs.
import { language, switched } from './language.js';
import { say } from './wire.js';

const root = document.documentElement;
export const keep = {
  get: (key) => { try { return localStorage.getItem('glassbox-' + key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem('glassbox-' + key, value); } catch { /* private mode */ } },
};
export const links = {};                   // slug -> query string of its state
export const pinned = {};                  // slug -> query string of its pin
const seen = new Set();                    // tabs that were opened
let active = null;                         // slug of the tab on screen; null until the page stands
let going = null;                          // the tab that a link of the page, or Back, is about to show
let expected = null;                       // the tab that a link names, until gradio shows it

// Gradio sets the class from the system's preference while it mounts; a choice made here wins over that.
function enforce() {
  const chosen = new URLSearchParams(location.search).get('__theme') ? null : keep.get('theme');
  if (chosen) document.body.classList.toggle('dark', chosen === 'dark');
}

const KEPT = ['embed', 'lang'];             // keys of the address that belong to the page

// The tabs' queries replace each other in the address bar; keys that start with "__" belong to Gradio and stay.
function address(query) {
  const url = new URL(location.href);
  const own = [...url.searchParams].filter(([key]) => key.startsWith('__') || KEPT.includes(key));
  const next = new URLSearchParams(query);
  if (pinned[active]) next.set('pin', pinned[active]);
  for (const [key, value] of own) next.set(key, value);
  while (String(next).length >= 6000) {                              // what is too long for an address goes, rather than an old one staying
    const [longest] = [...next].sort((a, b) => b[1].length - a[1].length)[0];
    next.delete(longest);
  }
  history.replaceState(history.state, '', '?' + next + url.hash);
}

export function remember(slug, query = links[slug] || `tab=${slug}`) {
  links[slug] = query;
  if (slug === active) address(query);
}

async function open(slug, link) {
  if (seen.has(slug)) return;
  seen.add(slug);
  const pin = new URLSearchParams(link).get('pin');
  if (pin) (await import('./pins.js')).restore(slug, pin, link);
  else say(slug, { kind: 'open', link });
}

export function opened(slug) {
  if (expected) { if (slug === expected) expected = null; return; }
  if (active === null || slug === active) return;
  if (slug !== going) step();                // by hand: Back brings the tab before
  going = null;
  active = slug;
  address(links[slug] || 'tab=' + slug);
  open(slug, '');
}

// What is about to be replaced is a step of the browser's own history: Back brings it again.
export function step() { history.pushState(history.state, '', location.href); }

// Opens a link of this page in place.
export function visit(query) {
  step();
  const slug = new URLSearchParams(query).get('tab');
  if (query.includes('&')) {
    seen.add(slug);
    say(slug, { kind: 'open', link: '?' + query });
  }
  shown(slug);
}

function shown(slug) {
  if (slug !== active) going = slug;
  const leaf = document.getElementById(`tab-${slug}-button`);
  leaf.click();
  leaf.focus();
}

function back() {
  const query = new URLSearchParams(location.search);
  const slug = query.get('tab');
  for (const key of [...KEPT, 'pin']) query.delete(key);
  if (!seen.has(slug)) return;
  if (String(query) !== links[slug]) say(slug, { kind: 'open', link: location.search });
  if (slug !== active) shown(slug);
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
  const says = [...query.keys()].some((key) => key !== 'tab' && !KEPT.includes(key) && !key.startsWith('__'));
  if (query.get('embed') === '1') embedded();
  open(active, named && says ? location.search : '');
  root.dataset.ready = 'true';
  return { selected: active, __type__: 'update' };
}

// One tab without the frame, for another page's iframe, and a way to the whole page.
function embedded() {
  root.dataset.embed = 'true';
  const whole = element('a', { className: 'gb-whole', target: '_blank' }, 'Open in Glassbox');
  whole.addEventListener('click', () => {
    const url = new URL(location.href);
    url.searchParams.delete('embed');
    whole.href = url;
  });
  whole.href = '.';
  document.querySelector('.gradio-container').append(whole);
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
  const embed = element('label', { id: 'gb-share-embed' }, 'For a page of your own');
  embed.append(element('textarea', { readOnly: true, spellcheck: false, translate: false, rows: 3 }));
  const note = element('p', { id: 'gb-share-note' });
  note.setAttribute('role', 'status');
  const notebook = element('button', { type: 'button', id: 'gb-share-notebook' }, 'Save as notebook');
  const close = element('button', { type: 'button', id: 'gb-share-close' }, 'Close');
  close.addEventListener('click', () => box.close());
  notebook.addEventListener('click', () => save('glassbox.ipynb', notebookOf(field.value), 'application/x-ipynb+json'));
  box.addEventListener('click', (event) => { if (event.target === box) box.close(); });
  box.append(title, field, embed, note, close, notebook);
  (document.querySelector('.gradio-container') || document.body).append(box);
  return box;
}

// A Jupyter notebook (nbformat 4.5) of two cells: where it comes from, and the script.
function notebookOf(script) {
  const lines = (text) => text.split(/(?<=\n)/);
  const cells = [{ cell_type: 'markdown', id: 'where', metadata: {}, source: lines(`Made by Glassbox: ${location.href}`) },
    { cell_type: 'code', id: 'run', metadata: {}, execution_count: null, outputs: [], source: lines(script) }];
  const metadata = { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' }, language_info: { name: 'python' } };
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }, null, 1);
}

async function copied(text) {
  try { await navigator.clipboard.writeText(text); return true; } catch { return false; }
}

// Shows the text selected in a read-only field, so that it can be taken without the clipboard permission as well.
export async function share(kind, text, slug) {
  const box = dialog();
  const link = kind === 'link';
  const pin = pinned[slug] ? `&pin=${encodeURIComponent(pinned[slug])}` : '';
  const spoken = keep.get('language') ? `&lang=${root.dataset.language}` : '';
  const whole = link ? `${location.origin}${location.pathname}?${text}${pin}${spoken}` : text;
  box.querySelector('#gb-share-embed').hidden = !link;
  box.querySelector('#gb-share-embed textarea').value = `<iframe src="${whole.replaceAll('&', '&amp;')}&amp;embed=1" title="Glassbox" width="100%" height="800" loading="lazy"></iframe>`;
  box.querySelector('#gb-share-notebook').hidden = link;
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

// The keyboard goes past the frame and the settings: to the canvas of the tab on screen, else to its figures.
function skip() {
  const tab = document.getElementById(`tab-${active}`);
  const stage = [...tab.querySelectorAll('canvas, .gb-stages [tabindex="0"]')].find((one) => one.tabIndex === 0 && one.offsetParent);
  const place = stage || tab.querySelector('.gb-main') || tab;
  if (place.tabIndex < 0) place.tabIndex = -1;
  place.focus();
}

function pressed(event) {
  const block = event.target.closest?.('[data-copy]');
  if (block) copy(block);
  const what = event.target.closest?.('[data-glassbox]')?.dataset.glassbox;
  if (what === 'home' || what === 'tour') import('./home.js').then((view) => view[what]());
  else if (what === 'skip') {
    event.preventDefault();
    skip();
  } else if (what === 'theme') {
    keep.set('theme', document.body.classList.contains('dark') ? 'light' : 'dark');
    enforce();
  } else if (what === 'language') {
    keep.set('language', root.dataset.language === 'zh' ? 'en' : 'zh');
    switched(keep.get('language'));
    const url = new URL(location.href);
    if (url.searchParams.has('lang')) {
      url.searchParams.set('lang', root.dataset.language);
      history.replaceState(history.state, '', url);
    }
  }
}

const asked = new URLSearchParams(location.search).get('lang');
switched(['en', 'zh'].includes(asked) ? asked : keep.get('language') || language());
document.addEventListener('click', pressed);
document.addEventListener('click', (event) => { if (event.target.closest?.('[role=tab]')) expected = null; }, true);
document.addEventListener('keydown', arrows);
window.addEventListener('popstate', back);
document.addEventListener('toggle', placed, true);
enforce();
new MutationObserver(enforce).observe(document.body, { attributes: true, attributeFilter: ['class'] });
