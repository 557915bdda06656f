// Labels: a short list that the browser remembers. Keys 1 to 9 give one to the object that is worked on; objects with a
// label of the list have its colour.
import { keep } from '../../js/frame.js';
import { LIMITS, PLAIN, S, active, make, part, swatch } from './core.js';
import { cleanName, setLabel, unlabel } from './edit.js';
import { button, renderPanel } from './panel.js';
import { invalidate } from './paint.js';

const MOST = 40;

export function readLabels() {
  try {
    const found = JSON.parse(keep.get('segment-labels') || '[]');
    S.labels = Array.isArray(found) ? [...new Set(found.map(cleanName))].filter(name => name && name !== PLAIN).slice(0, MOST) : [];
  } catch { S.labels = []; }
}

// Labels that came with objects, of a link or a file, join the list.
export function learnLabels(objects) {
  const fresh = objects.map(object => object.label).filter(label => label !== PLAIN && !S.labels.includes(label));
  if (fresh.length) keepLabels([...S.labels, ...new Set(fresh)].slice(0, MOST));
}

function keepLabels(labels) {
  S.labels = labels;
  keep.set('segment-labels', JSON.stringify(labels));
}

// Key 1 is the first label. Whether there is one with this number.
export function assign(k) {
  if (!S.labels[k] || !active()) return false;
  setLabel(S.active, active().label === S.labels[k] ? PLAIN : S.labels[k]);
  return true;
}

function addLabel(text) {
  const name = cleanName(text);
  if (name && name !== PLAIN && !S.labels.includes(name) && S.labels.length < MOST) keepLabels([...S.labels, name]);
  if (S.labels.includes(name) && active()) setLabel(S.active, name);
  renderPanel();
}

function removeLabel(name) {
  keepLabels(S.labels.filter(other => other !== name));
  unlabel(name);
  renderPanel();
  invalidate();
}

function askName() {
  const input = make('input', 'gx-input'), box = part('labels');
  input.maxLength = LIMITS.name;
  input.setAttribute('aria-label', 'New label');
  let done = false;
  const finish = kept => { if (done) return; done = true; input.remove(); shown = ''; if (kept) addLabel(input.value); else renderPanel(); };
  input.addEventListener('keydown', event => {
    if (event.key === 'Enter' || event.key === 'Escape') { event.stopPropagation(); finish(event.key === 'Enter'); }
  });
  input.addEventListener('blur', () => finish(true));
  box.replaceChildren(input);
  input.focus();
}

let shown = '';                                      // the list as it stands, so that a press never loses its button

export function renderLabels() {
  const box = part('labels'), now = JSON.stringify([S.labels, active() && active().label]);
  if (now === shown || box.querySelector('input')) return;
  shown = now;
  const add = button('gx-new-label', 'New label', askName);
  add.append('+ Label');
  box.replaceChildren(...S.labels.map(chip), add);
}

function chip(name, k) {
  const node = make('span', 'gx-label'), pick = button('gx-give', 'Label the object ' + name, () => assign(k));
  const colour = make('i', 'gx-swatch'), text = make('span', '', name), remove = button('gx-drop-label', 'Remove the label ' + name, () => removeLabel(name));
  colour.style.background = swatch(k);
  text.translate = false;
  pick.setAttribute('aria-pressed', String(Boolean(active()) && active().label === name));
  pick.append(colour, text, ...(k < 9 ? [make('kbd', '', String(k + 1))] : []));
  remove.append('\u00d7');
  node.append(pick, remove);
  return node;
}
