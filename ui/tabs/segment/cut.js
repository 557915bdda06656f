// The opened box: a threshold to drag over the picture, or a band about it. Bytes above the level are the mask; at 0 that is the mask on
// screen, pixel for pixel (figures.signed).
import { bounded, pixels, reached, resized, sized } from '../../js/board.js';
import { bytes, make, number, panel } from '../../js/maps.js';
import { S } from './core.js';
import { hear, marks, touch, touched } from './stage.js';

// steps of the slider from zero -> the logit there, as the bytes are spaced
const logit = (steps, bound) => Math.sign(steps) * bound * (Math.abs(steps) / 127) ** 2;

function colour(board) {
  const { scene: { band }, steps } = board;
  const [low, high] = band ? [128 - steps, 127 + steps] : [0, 127 + steps];
  return (k) => {
    const level = board.levels[k];
    if (level > high) return [86, 180, 233, 140];
    return band && level >= low ? [230, 120, 0, 220] : [0, 0, 0, 60];
  };
}

function counted(board) {
  const { levels, steps, scene: { band, map, every, area } } = board;
  const count = (edge) => levels.reduce((n, level) => n + (level > edge), 0);
  const t = number(logit(steps, map.bound));
  if (!band) return steps ? `at ${t}: about ${count(127 + steps) * every * every} px` : `at 0: ${area} px`;
  const [strict, loose] = [count(127 + steps), count(127 - steps)];
  return `±${t}: stability about ${(loose ? strict / loose : 0).toFixed(2)}`;
}

function draw(board) {
  const { tools: { picture, value }, scene: { map }, probe } = board;
  const [pen, w, h] = sized(board.canvas, bounded(value.aspect));
  if (picture) pen.drawImage(picture, 0, 0, w, h);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(board.layer, 0, 0, w, h);
  marks(pen, board.scene, [S.width, S.height], probe, w, h);
  const at = probe && Math.floor(probe[1] * map.rows) * map.columns + Math.floor(probe[0] * map.columns);
  const v = probe && (board.levels[at] > 127 ? 1 : -1) * map.bound * (Math.abs(board.levels[at] - 127.5) / 127) ** 2;
  board.value.textContent = probe ? number(v) : '';
}

function moved(board) {
  board.steps = Number(board.range.value);
  board.said.textContent = counted(board);
  board.root.dataset.pixels = board.levels.reduce((n, level) => n + (level > 127 + board.steps), 0);
  board.layer = pixels(board.scene.map.rows, board.scene.map.columns, colour(board));
  draw(board);
}

function built(root) {
  const board = { root, probe: null };
  Object.assign(board, panel('The mask at this threshold', 'gx-cut'));
  board.value = make('b', '');
  board.value.translate = false;
  board.caption.append(' ', board.value);
  const label = make('label', 'gx-through', 'Threshold');
  board.range = Object.assign(make('input', ''), { type: 'range', step: 1 });
  board.said = make('output', '');
  label.append(board.range, board.said);
  board.range.addEventListener('input', () => moved(board));
  board.point = (place) => { board.probe = place; draw(board); };
  reached(board.canvas, 'The mask at this threshold');
  touched(board.canvas);
  root.replaceChildren(label, board.figure);
  hear(board);
  resized(board.canvas, () => draw(board));
  board.canvas.addEventListener('pointerleave', () => touch(null));
  return board;
}

export function cut(root, scene, tools) {
  const fresh = !root.gxCut;
  const board = root.gxCut || built(root);
  const other = fresh || board.scene.band !== scene.band;
  root.gxCut = Object.assign(board, { scene, tools, levels: bytes(scene.map.data) });
  const first = scene.band ? Math.round(127 * Math.sqrt(scene.offset / scene.map.bound)) : 0;
  Object.assign(board.range, scene.band ? { min: 0, max: 127 } : { min: -127, max: 127 });
  if (other) board.range.value = Math.min(127, first);
  moved(board);
}
