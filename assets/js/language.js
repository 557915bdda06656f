// The page is made in English; in another language each text, label and title is replaced by its entry in the catalogue, as soon as it
// appears. A key with {} matches whatever is filled in there; the entry says with {1}, {2} where that goes. Sentences that stand together
// may have entries of their own. Text of the user stands in elements with translate="no" and is left alone. English comes back from what
// was remembered.
const ATTRIBUTES = ['aria-label', 'title', 'placeholder', 'alt'];
const SKIPPED = '[translate="no"], script, style, textarea, .gb-en, .gb-zh, code, canvas';
const SENTENCES = /(?<=[.?!]) /;
const MENUS = 'input[role=combobox]';       // the field of a menu: the chosen option's text is its value
const texts = new WeakMap();               // node -> [English, shown]
const exact = new Map();
let patterns = [];
let loading = null;
let now = 'en';

export const language = () => (navigator.language.startsWith('zh') ? 'zh' : 'en');

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

async function load() {
  const found = await (await fetch(new URL('../zh.json', import.meta.url))).json();
  for (const [key, value] of Object.entries(found)) {
    if (key.includes('{}')) patterns.push([new RegExp('^' + key.split('{}').map(escaped).join('(.+?)') + '$', 's'), value, key.replaceAll('{}', '').length + (key.endsWith('{}') ? 0 : 0.5)]);
    else exact.set(key, value);
  }
  patterns.sort((a, b) => b[2] - a[2]);    // the one that says most comes first, of two alike the one with an end
}

function entry(key) {
  return exact.get(key) ?? whole(key) ?? filled(key);
}

function filled(key) {
  for (const [pattern, value] of patterns) {
    const match = pattern.exec(key);
    if (match) return value.replace(/\{(\d+)\}/g, (_, k) => translated(match[Number(k)]));
  }
  return undefined;
}

// Sentences that stand together, when each has an entry: asked before keys with {}, which might take all that follows for one filling.
function whole(key) {
  const parts = key.split(SENTENCES);
  const found = parts.length > 1 ? parts.map((part) => exact.get(part) ?? filled(part)) : [undefined];
  return found.includes(undefined) ? undefined : found.join('');
}

// A text as a whole, else sentence by sentence; each line by itself.
export function translated(text) {
  const key = text.trim();
  if (key.includes('\n') && !exact.has(key)) return text.split('\n').map(translated).join('\n');
  if (!/[A-Za-z]/.test(key)) return text;
  const found = entry(key) ?? key.split(SENTENCES).map((part) => entry(part) ?? `${part} `).join('').trim();
  return text.replace(key, () => found);
}

function shown(owner, name, value, write) {
  const kept = texts.get(owner) || {};
  const [english, last] = kept[name] || [value, null];
  const source = value === last ? english : value;       // someone wrote a new English text since
  const next = now === 'zh' ? translated(source) : source;
  kept[name] = [source, next];
  texts.set(owner, kept);
  if (next !== value) write(next);
}

function apply(root) {
  if (root.nodeType === Node.TEXT_NODE) return text(root);
  if (root.nodeType !== Node.ELEMENT_NODE) return;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) text(walker.currentNode);
  for (const node of [root, ...root.querySelectorAll(ATTRIBUTES.map((name) => `[${name}]`).join(','))]) attributes(node);
  for (const node of root.matches(MENUS) ? [root] : root.querySelectorAll(MENUS)) menu(node);
}

function text(node) {
  if (!node.parentElement || node.parentElement.closest(SKIPPED)) return;
  shown(node, 'text', node.nodeValue, (value) => { node.nodeValue = value; });
}

function attributes(node) {
  if (node.closest('[translate="no"]')) return;
  for (const name of ATTRIBUTES) if (node.hasAttribute(name)) shown(node, name, node.getAttribute(name), (value) => node.setAttribute(name, value));
}

// A menu's field shows the translation of what is written into it, and gives back the English.
const VALUE = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');

function menu(field) {
  if (field.closest(SKIPPED)) return;
  const kept = texts.get(field) || {};
  texts.set(field, kept);
  const seen = () => VALUE.get.call(field);
  const write = (value) => {
    const next = now === 'zh' ? translated(value) : value;
    kept.value = [value, next];
    if (next !== seen()) VALUE.set.call(field, next);
    field.title = value;                   // a long one is cut; translated like any other
  };
  write(kept.value?.[1] === seen() ? kept.value[0] : seen());
  Object.defineProperty(field, 'value', { configurable: true, set: write, get: () => (kept.value[1] === seen() ? kept.value[0] : seen()) });
}

const observer = new MutationObserver((changes) => {
  for (const { type, target, addedNodes } of changes) {
    if (type === 'childList') addedNodes.forEach(apply);
    else if (type === 'attributes') attributes(target);
    else text(target);
  }
});

export async function switched(code) {
  const root = document.documentElement;
  now = code;
  root.dataset.language = code;
  root.lang = code === 'zh' ? 'zh-Hans' : 'en';
  if (code === 'zh') {
    loading ||= load();
    await loading;
    observer.observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
  } else observer.disconnect();
  apply(document.body);
  root.dataset.translated = code;
}
