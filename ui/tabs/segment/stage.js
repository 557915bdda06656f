// The opened box: maps over the picture. One pointer for all: what it touches on the canvas, the picture or a map shows its value in every
// map. Scenes and how their bytes are packed: figures.py.
import { ARROWS, bounded, cells, dot, outline, pixels, reached, resized, sized } from '../../js/board.js';
import { button, bytes, make, note, number, paint, panel } from '../../js/maps.js';
import { cut } from './cut.js';
import { S, canvas as desk } from './core.js';
import { toPicture } from './view.js';

const CHANGES = { 1: [86, 180, 233, 110], 2: [230, 120, 0, 230], 3: [214, 93, 177, 230] };
const SAYS = ['outside of both', 'in both', 'only with it', 'only without it'];
const boards = new Set();                  // what hears of the pointer
let probe = null;                          // [x, y] in shares of the picture

export function hear(board) { boards.add(board); }

export function touch(place) {
  probe = place;
  for (const board of boards) {
    if (board.root.isConnected) board.point(place);
    else boards.delete(board);
  }
}

document.addEventListener('pointermove', (event) => {
  if (!boards.size || event.target !== desk || !S.width) return;
  const [x, y] = toPicture(event.clientX, event.clientY);
  const inside = x >= 0 && y >= 0 && x < S.width && y < S.height;
  if (inside || probe) touch(inside ? [x / S.width, y / S.height] : null);
});

// a signed or plain map -> its values, rows first
export function values(map) {
  const levels = bytes(map.data);
  if (map.kind === 'magnitude') return Float32Array.from(levels, (level) => map.bound * (level / 255) ** 2);
  if (map.kind === 'between') return Float32Array.from(levels, (level) => map.low + (map.bound - map.low) * (level / 255));
  return Float32Array.from(levels, (level) => (level > 127 ? map.bound * ((level - 127.5) / 127) ** 2 : -map.bound * ((127.5 - level) / 127) ** 2));
}

function unpacked(map) {
  if (map.kind === 'colours') return { ...map, canvas: cells(map.data, map.rows, map.columns), levels: bytes(map.data) };
  if (map.kind === 'change') {
    const levels = bytes(map.data);
    return { ...map, levels, canvas: pixels(map.rows, map.columns, (k) => CHANGES[levels[k]] || [0, 0, 0, 0]) };
  }
  const canvas = make('canvas', '');
  const all = values(map);
  const shown = map.kind === 'between' ? Float32Array.from(bytes(map.data), (level) => (level / 255) ** 2) : all;   // paint takes the root
  paint(canvas, shown, map.rows, map.columns, { bound: map.kind === 'between' ? 1 : map.bound, signed: map.kind === 'signed' });
  return { ...map, all, canvas };
}

function said(map, place) {
  if (!place) return '';
  const [c, r] = [[place[0] / map.over[0], map.columns], [place[1] / map.over[1], map.rows]].map(([share, n]) => Math.min(n - 1, Math.floor(share * n)));
  const at = r * map.columns + c;
  if (map.kind === 'change') return SAYS[map.levels[at]];
  if (map.kind !== 'colours') return number(map.all[at]);
  return map.bound.map((bound, k) => number(bound * (map.levels[3 * at + k] / 127.5 - 1))).join(' · ');
}

// clicks and box of the scene, and the pointer, over w x h pixels that show the whole picture
export function marks(pen, scene, size, place, w, h) {
  const unit = Math.min(2, devicePixelRatio);
  const at = ([x, y]) => [((x + 0.5) / size[0]) * w, ((y + 0.5) / size[1]) * h];
  if (scene.box) {
    const [[x0, y0], [x1, y1]] = [at(scene.box.slice(0, 2)), at(scene.box.slice(2))];
    outline(pen, x0, y0, x1 - x0, y1 - y0, '#fff', unit);
  }
  scene.points.forEach((point, k) => { if (k !== scene.without) dot(pen, ...at(point), 4 * unit, point[2] ? '#0a63c2' : '#d55e00', '#fff', 1.5 * unit); });
  if (!place) return;
  const [x, y] = [place[0] * w, place[1] * h];
  for (const [style, width] of [['rgba(0, 0, 0, .8)', 3], ['#fff', 1]]) {
    pen.strokeStyle = style;
    pen.lineWidth = width * unit;
    pen.beginPath();
    pen.moveTo(x, 0); pen.lineTo(x, h); pen.moveTo(0, y); pen.lineTo(w, y);
    pen.stroke();
  }
}

// pointer and arrow keys over a canvas that shows the whole picture
export function touched(canvas) {
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [[event.clientX - box.left, box.width], [event.clientY - box.top, box.height]].map(([v, n]) => Math.min(0.9999, Math.max(0, v / n)));
  };
  for (const kind of ['pointermove', 'pointerdown']) canvas.addEventListener(kind, (event) => touch(place(event)));
  canvas.addEventListener('pointerleave', () => touch(null));
  canvas.addEventListener('keydown', (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const [x, y] = probe || [0.5, 0.5];
    touch([x + 0.02 * step[1], y + 0.02 * step[0]].map((v) => Math.min(0.9999, Math.max(0, v))));
  });
}

function draw(board, one) {
  const { tools: { picture, value }, scene } = board;
  const [pen, w, h] = sized(one.canvas, bounded(value.aspect));
  if (picture) pen.drawImage(picture, 0, 0, w, h);
  if (one.map) {
    pen.globalAlpha = one.map.kind === 'change' ? 1 : 1 - board.through;
    pen.imageSmoothingEnabled = false;
    pen.drawImage(one.map.canvas, 0, 0, w * one.map.over[0], h * one.map.over[1]);
    pen.globalAlpha = 1;
  }
  const size = picture ? [S.width, S.height] : [1, 1];
  marks(pen, { ...scene, without: one.map?.without }, size, probe, w, h);
  one.value.textContent = one.map ? said(one.map, probe) : '';
}

function bar(board) {
  const row = make('div', 'gb-stage-buttons');
  const label = make('label', 'gx-through', 'Picture shines through');
  const range = Object.assign(make('input', ''), { type: 'range', min: 0, max: 1, step: 0.05, value: board.through });
  range.addEventListener('input', () => { board.through = Number(range.value); board.all(); });
  label.append(range);
  board.select = make('select', '');
  board.select.setAttribute('aria-label', 'Map to download');
  row.append(label, board.select, button('Its cells as CSV', () => board.tools.say({ kind: 'rows', format: 'csv', of: board.select.value })));
  return row;
}

function built(root) {
  const board = { root, through: 0.35, panels: [], groups: make('div', ''), note: note() };
  board.all = () => board.panels.forEach((one) => draw(board, one));
  board.point = () => board.all();
  board.bar = bar(board);
  root.replaceChildren(board.bar, board.groups, board.note);
  hear(board);
  return board;
}

function one(board, map) {
  const found = panel(map ? map.name : 'Picture', 'gx-map');
  const value = make('b', '');
  value.translate = false;
  found.caption.append(' ', value);
  reached(found.canvas, map ? map.name : 'Picture');
  touched(found.canvas);
  return { ...found, map: map && unpacked(map), value };
}

function maps(root, scene, tools) {
  root.gxBoard ||= built(root);
  const board = Object.assign(root.gxBoard, { scene, tools });
  const names = [...new Set(scene.maps.map((map) => map.group))];
  board.panels = [];
  board.groups.replaceChildren(...names.flatMap((name, at) => {
    const here = [...(at ? [] : [null]), ...scene.maps.filter((map) => map.group === name)].map((map) => one(board, map));
    const row = make('div', `gb-panels gx-maps${here.length < 5 ? ' gx-few' : ''}`);
    row.append(...here.map(({ figure }) => figure));
    board.panels.push(...here);
    return name ? [make('h4', '', name), row] : [row];
  }));
  board.select.replaceChildren(...scene.maps.map((map) => Object.assign(make('option', '', map.name), { value: map.name })));
  board.bar.hidden = !scene.maps.length || scene.maps[0].kind === 'change';
  board.groups.hidden = !scene.maps.length;
  board.all();
  if (board.panels[0]) resized(board.panels[0].canvas, board.all);
}

export const stages = { maps, cut };
