// The side panel: candidate masks, objects, figures, tool states. Rebuilt from the state after every change.
import { LIMITS, PLAIN, S, active, chosenIndex, colour, fail, make, part, rated, resultOf, root } from './core.js';
import { fit, zoomMiddle } from './view.js';
import { bounds, layer } from './mask.js';
import { invalidate } from './paint.js';
import {
  activate, addObject, choose, clearObject, redo, removeObject, removeStep, renameObject, undo,
} from './edit.js';
import { renderFiles } from './files.js';
import { setSign } from './keys.js';
import { toggleGhost } from './hover.js';
import { renderLabels } from './labels.js';
import { slideRadius, useTool } from './brush.js';
import { chooseSample } from './wire.js';

export function renderPanel() {
  renderCandidates();
  renderLabels();
  renderObjects();
  renderFigures();
  part('undo').disabled = !S.undo.length;
  part('redo').disabled = !S.redo.length;
  part('clear').disabled = !active() || !active().steps.length;
  renderFiles();
  part('hint').textContent = hint();
}

function hint() {
  if (!S.picture) return root.dataset.phase === 'empty' ? 'Choose a sample, or drop, paste or open a picture.' : '';
  if (S.regionsOn) return 'Click a region to make it an object.';
  if (S.objects.some(object => object.steps.length)) return '';
  return matchMedia('(pointer: coarse)').matches ? 'Tap the thing you want. Hold on what you do not want.' : 'Click the thing you want. Right click what you do not want.';
}

export function button(className, label, run) {
  const node = make('button', className);
  node.type = 'button';
  node.setAttribute('aria-label', label);
  node.title = label;
  node.addEventListener('click', run);
  return node;
}

function renderCandidates() {
  const box = part('candidates'), result = resultOf(active()), chosen = active() ? chosenIndex(active()) : -1;
  box.replaceChildren();
  if (!result || !result.masks.length) return box.append(make('p', 'gx-none', 'Up to three masks appear after a click.'));
  const frame = cropFrame(result.masks);
  result.masks.forEach((mask, k) => box.append(candidate(mask, k, result, k === chosen, frame)));
}

function candidate(mask, k, result, pressed, frame) {
  const share = 100 * result.areas[k] / (S.width * S.height);
  const node = button('gx-candidate', 'Mask ' + (k + 1) + ', predicted IoU ' + rated(result.scores[k], 3) + ', ' + share.toFixed(1) + ' % of the picture (key ' + (k + 1) + ')', () => choose(k));
  node.setAttribute('aria-pressed', String(pressed));
  node.append(thumbnail(mask, frame), make('b', '', rated(result.scores[k], 3)), make('small', '', share.toFixed(share < 10 ? 1 : 0) + '\u2009%'));
  const preview = k => () => { S.preview = k; invalidate(); };
  node.addEventListener('pointerenter', preview(k));
  node.addEventListener('focus', preview(k));
  node.addEventListener('pointerleave', preview(null));
  node.addEventListener('blur', preview(null));
  return node;
}

function cropFrame(masks) {                          // one frame for all candidates, so that their sizes compare
  const all = masks.map(bounds), pad = 0.06 * Math.max(masks[0].w, masks[0].h);
  const x0 = Math.max(0, Math.min(...all.map(b => b[0])) - pad), y0 = Math.max(0, Math.min(...all.map(b => b[1])) - pad);
  const x1 = Math.min(masks[0].w, Math.max(...all.map(b => b[2])) + pad), y1 = Math.min(masks[0].h, Math.max(...all.map(b => b[3])) + pad);
  return [x0, y0, x1 - x0, y1 - y0];
}

function thumbnail(mask, [x, y, w, h]) {             // the dimmed picture with the mask at full colour
  const node = make('canvas', 'gx-thumb'), g = node.getContext('2d');
  node.width = 144; node.height = 108;
  const k = Math.min(node.width / w, node.height / h), px = S.picture.naturalWidth / mask.w, py = S.picture.naturalHeight / mask.h;
  const to = [(node.width - w * k) / 2, (node.height - h * k) / 2, w * k, h * k];
  g.drawImage(layer(mask, '#000000'), x, y, w, h, ...to);
  g.globalCompositeOperation = 'source-in';
  g.drawImage(S.picture, x * px, y * py, w * px, h * py, ...to);
  g.globalCompositeOperation = 'destination-over';
  g.globalAlpha = 0.16;
  g.drawImage(S.picture, x * px, y * py, w * px, h * py, ...to);
  return node;
}

let shownRows = '';                                               // names and active row of the list as it stands

function renderObjects() {
  const list = part('objects'), rows = JSON.stringify([S.active, S.objects.map(object => [object.name, object.label])]);
  if (list.querySelector('input')) return;                       // an answer must not end a renaming,
  if (rows !== shownRows) list.replaceChildren(...S.objects.map(objectRow));   // nor take a button away between press and release
  shownRows = rows;
  S.objects.forEach((object, i) => {
    const mask = chosenIndex(object), row = list.children[i];
    row.querySelector('.gx-swatch').style.background = colour(object);
    row.querySelector('small').textContent = mask >= 0 ? resultOf(object).areas[mask].toLocaleString('en') + ' px' : '';
  });
}

function nameNode(name) {                            // the user's own words are not translated
  const node = make('span', '', name);
  node.translate = /^object \d+$/.test(name);
  return node;
}

function tag(label) {
  if (label === PLAIN) return [];
  const node = make('em', 'gx-tag', label);
  node.translate = false;
  return [node];
}

function objectRow(object, i) {
  const row = make('li', i === S.active ? 'gx-current' : '');
  const pick = button('gx-name', 'Work on ' + object.name, () => activate(i));
  pick.setAttribute('aria-pressed', String(i === S.active));
  pick.append(make('i', 'gx-swatch'), nameNode(object.name), ...tag(object.label), make('small'));
  pick.addEventListener('dblclick', () => startRename(row, i));
  const rename = button('gx-rename', 'Rename ' + object.name, () => startRename(row, i)), remove = button('gx-remove', 'Delete ' + object.name, () => removeObject(i));
  rename.append('\u270e'); remove.append('\u00d7');
  row.append(pick, rename, remove);
  return row;
}

function startRename(row, i) {
  const input = make('input', 'gx-input');
  input.value = S.objects[i].name;
  input.maxLength = LIMITS.name;
  input.setAttribute('aria-label', 'New name');
  let done = false;
  const finish = keep => { if (done) return; done = true; input.remove(); shownRows = ''; renameObject(i, keep ? input.value : S.objects[i].name); };
  input.addEventListener('keydown', event => { if (event.key === 'Enter' || event.key === 'Escape') finish(event.key === 'Enter'); });
  input.addEventListener('blur', () => finish(true));
  row.replaceChildren(input);
  input.focus();
  input.select();
}

function renderFigures() {
  const object = active(), result = resultOf(object), k = object ? chosenIndex(object) : -1, rows = [];
  if (k >= 0) {
    rows.push(['predicted IoU', rated(result.scores[k], 3)], ['area', result.areas[k].toLocaleString('en') + ' px']);
    const [kept, clicks] = result.honoured ? result.honoured[k] : [0, 0];
    if (clicks) rows.push(['clicks honoured', (kept < clicks ? '\u26a0 ' : '') + kept + ' of ' + clicks + ' clicks']);
    if (result.truth) rows.push(['IoU vs truth', result.truth[k] === null ? 'no object there' : result.truth[k].toFixed(3)]);
  }
  if (S.times) rows.push(['encoder', S.times.encoder.toFixed(0) + ' ms' + (S.times.cached ? ', kept' : '')]);
  if (S.times && S.times.click !== null) rows.push(['last click', S.times.click.toFixed(0) + ' ms']);
  part('figures').replaceChildren(...rows.flatMap(([name, value]) => [make('dt', '', name), make('dd', '', value)]));
}

export function renderSamples(samples) {
  const box = part('samples');
  box.hidden = !samples.length;
  box.replaceChildren(...samples.map(sample => {
    const node = button('gx-sample', sample.title, () => chooseSample(sample.id)), image = make('img');
    image.src = sample.thumb;
    image.alt = '';
    node.dataset.id = sample.id;
    node.append(image);
    return node;
  }));
}

export function markSample() {
  for (const node of part('samples').children) node.setAttribute('aria-pressed', String(node.dataset.id === S.imageId));
}

export function showRegions(on) {
  S.regionsOn = Boolean(on && S.regions);
  S.hovered = -1;
  part('regions').hidden = !S.regions;
  part('regions').setAttribute('aria-pressed', String(S.regionsOn));
  part('count').textContent = S.records.length || '';
  renderPanel();
  invalidate();
}

const CLICKS = {
  include: () => setSign(1), exclude: () => setSign(0), undo, redo, clear: clearObject, fit, add: () => addObject(),
  in: () => zoomMiddle(1.25), out: () => zoomMiddle(0.8), regions: () => showRegions(!S.regionsOn),
  open: () => part('file').click(), 'error-close': () => fail(''), ghost: toggleGhost,
  'tool-click': () => useTool('click'), 'tool-brush': () => useTool('brush'), 'tool-eraser': () => useTool('eraser'), 'tool-polygon': () => useTool('polygon'),
  unclick: () => removeStep(S.picked),
};

export function listenToTools() {
  for (const [name, run] of Object.entries(CLICKS)) part(name).addEventListener('click', () => run());
  part('radius').addEventListener('input', event => slideRadius(Number(event.target.value)));
}
