// The keyboard path: a visible cursor, and one key per command. Keys count only while the canvas has the focus.
import { S, canvas, clamp, part, root, tell } from './core.js';
import { fit, showPixel, zoomMiddle } from './view.js';
import { recordAt } from './mask.js';
import { invalidate } from './paint.js';
import { act, addObject, choose, clearObject, redo, removeStep, undo } from './edit.js';
import { showRegions } from './panel.js';
import { toggleGhost } from './hover.js';
import { assign } from './labels.js';
import { closeSketch, removePicked } from './polygon.js';
import { step } from './strip.js';
import { grow, useTool } from './brush.js';
import { cancel, holdSpace, showReadout } from './pointer.js';

const COMMANDS = {
  Enter: event => S.sketch.length ? closeSketch() : S.cursor ? act(S.cursor, event.shiftKey ? 1 - S.sign : S.sign) : moveCursor(0, 0),
  '+': () => setSign(1), '=': () => setSign(1), '-': () => setSign(0), _: () => setSign(0),
  z: undo, y: redo, Z: redo, Escape: () => cancel() || clearObject(), n: () => addObject(), h: toggleGhost, r: () => showRegions(!S.regionsOn),
  v: () => useTool('click'), b: () => useTool('brush'), e: () => useTool('eraser'), p: () => useTool('polygon'),
  PageUp: () => step(-1), PageDown: () => step(1),
  '[': () => grow(1 / 1.15), ']': () => grow(1.15),
  Delete: () => removePicked() || removeStep(S.picked), Backspace: () => removePicked() || removeStep(S.picked),
  i: () => zoomMiddle(1.25), o: () => zoomMiddle(0.8), f: fit,
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function setSign(sign) {
  S.sign = sign;
  part('include').setAttribute('aria-pressed', String(sign === 1));
  part('exclude').setAttribute('aria-pressed', String(sign === 0));
  root.dataset.sign = sign ? '+' : '-';
  invalidate();
}

function moveCursor(dx, dy) {
  const from = S.cursor || S.pointer || [Math.floor(S.width / 2), Math.floor(S.height / 2)];
  S.cursor = [clamp(from[0] + dx, 0, S.width - 1), clamp(from[1] + dy, 0, S.height - 1)];
  S.hovered = S.regionsOn ? recordAt(S.cursor) : -1;
  showPixel(S.cursor);
  showReadout(S.cursor);
  tell('Cursor at x ' + S.cursor[0] + ', y ' + S.cursor[1] + '.');
  invalidate();
}

function arrow(event, [dx, dy]) {
  const percent = Math.max(1, Math.round(Math.max(S.width, S.height) / 100));
  const step = event.altKey ? 1 : event.shiftKey ? 5 * percent : percent;
  moveCursor(dx * step, dy * step);
}

// Digits give a label where there is a list of them; with Shift, or without a list, 1 to 3 choose a mask.
function digit(event) {
  const found = /^(?:Digit|Numpad)([1-9])$/.exec(event.code), k = found ? found[1] - 1 : -1;
  if (k < 0 || event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.shiftKey || !S.labels.length) { if (k < 3) choose(k); } else assign(k);
  return true;
}

function keydown(event) {
  if (!S.picture) return;
  if (digit(event)) return event.preventDefault();
  if (event.key === ' ') { holdSpace(true); return event.preventDefault(); }
  if ((event.ctrlKey || event.metaKey) && !['z', 'y', 'Z'].includes(event.key)) return;
  const run = ARROWS[event.key] ? () => arrow(event, ARROWS[event.key]) : COMMANDS[event.key] && (() => COMMANDS[event.key](event));
  if (!run) return;
  event.preventDefault();
  run();
}

function historyKeys(event) {                        // Ctrl+Z and Ctrl+Y work from every button of the canvas too
  const run = { z: undo, y: redo, Z: redo }[event.key];
  if (!run || !(event.ctrlKey || event.metaKey) || event.target === canvas || event.target.tagName === 'INPUT') return;
  event.preventDefault();
  run();
}

export function listenToKeys() {
  canvas.addEventListener('keydown', keydown);
  root.addEventListener('keydown', historyKeys);
  canvas.addEventListener('keyup', event => { if (event.key === ' ') holdSpace(false); });
  canvas.addEventListener('blur', () => { holdSpace(false); invalidate(); });
  canvas.addEventListener('focus', invalidate);
}
