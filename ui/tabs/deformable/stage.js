// Deformable: one output. Points on the picture, the cells that they read, a tap that is dragged, its four neighbours, and the sum that
// the browser adds up at once. The place, own taps and raw modulations are parameters; scenes are the dicts of figures.py.
import { ARROWS, board, cells, cross, dot, line, outline, resized, sized, within } from '../../js/board.js';
import { element } from '../../js/frame.js';
import { button, bytes, make, note, number } from '../../js/maps.js';
import { conventions, covered, fit, stack } from './layers.js';
import { photo } from './photo.js';
import { around, level, offsets, read, reweigh, total, unpacked } from './reading.js';

const GROUPS = ['#ffd400', '#ff8c1a', '#e8489c', '#8d52e0'];
const NEGATIVE = '#3aa0ff';
const DRAGGED = ['dcn1', 'dcn2', 'dcn3', 'dcn4'];
const MODULATED = ['dcn2', 'dcn3', 'dcn4'];
const LINED = ['dat', 'dat2', 'own'];       // many points, each with a line from where it would be
const NEAR = 14;                           // CSS px within which a point is meant

const hue = (p) => (p.weight < 0 ? NEGATIVE : GROUPS[p.group]);

// --- the picture with its points ---

function paint(stage) {
  const { scene, chosen } = stage;
  const [pen, unit] = covered(stage.canvas, stage.picture, stage.coarse ? null : stage.tools.picture);
  const place = ([y, x]) => [(x + 0.5) * unit, (y + 0.5) * unit];
  const largest = Math.max(...scene.points.map((p) => Math.abs(p.weight)), 1e-9), few = scene.points.length <= 9;
  const device = stage.canvas.width / Math.max(1, stage.canvas.clientWidth);
  if (few) for (const p of scene.points) squares(stage, pen, unit, p, 0);
  if (scene.points[chosen]) squares(stage, pen, unit, scene.points[chosen], device);
  if (few || LINED.includes(scene.operator)) {
    for (const p of scene.points) {
      line(pen, place(p.ghost), place(p.at), 'rgba(255, 255, 255, .75)', device);
      dot(pen, ...place(p.ghost), 4 * device, '', 'rgba(255, 255, 255, .95)', 1.5 * device);
    }
  }
  scene.points.forEach((p, k) => {
    const radius = (2 + (few ? 3.5 : 4.5) * Math.sqrt(Math.abs(p.weight) / largest)) * device;
    dot(pen, ...place(p.at), radius, hue(p), k === chosen ? '#fff' : 'rgba(0, 0, 0, .85)', (k === chosen ? 3 : 1.5) * device);
  });
  cross(pen, ...place(scene.start), 8 * device);
  inset(stage);
  tell(stage);
}

// a point's place in its group's own map
function inGroup(scene, p) {
  const size = scene.sizes[p.group] || scene.sizes[0];
  return [size, [((p.at[0] + 0.5) / scene.rows) * size[0] - 0.5, ((p.at[1] + 0.5) / scene.columns) * size[1] - 0.5]];
}

// the four cells that a point reads, in their own colours; outlined where a line's width is given
function squares(stage, pen, unit, p, width) {
  const { scene } = stage;
  const [size, at] = inGroup(scene, p);
  const high = scene.rows / size[0], wide = scene.columns / size[1];
  for (const one of around(at, size)) {
    const box = [one.column * wide * unit, one.row * high * unit, wide * unit, high * unit];
    if (one.inside) pen.drawImage(stage.levels[p.group], one.column, one.row, 1, 1, ...box);
    if (width) outline(pen, ...box, one.inside ? '#fff' : '#999', width);
  }
}

// the chosen point from near: its four cells and their weights
function inset(stage) {
  const { scene } = stage;
  const p = scene.points[stage.chosen];
  const [pen, width, height] = sized(stage.near, 1);
  pen.fillStyle = '#777';
  pen.fillRect(0, 0, width, height);
  if (!p) return;
  const [size, at] = inGroup(scene, p);
  const four = around(at, size);
  const unit = width / 4, top = four[0].row - 1, left = four[0].column - 1;
  pen.imageSmoothingEnabled = false;
  pen.drawImage(stage.levels[p.group], left, top, 4, 4, 0, 0, width, height);
  const text = Math.round(unit / 4.2);
  pen.font = `600 ${text}px system-ui, sans-serif`;
  pen.textAlign = 'center';
  for (const one of four) {
    const x = (one.column - left) * unit, y = (one.row - top) * unit;
    outline(pen, x, y, unit, unit, one.inside ? '#fff' : '#bbb', 2);
    Object.assign(pen, { lineWidth: 4, strokeStyle: 'rgba(0, 0, 0, .8)', fillStyle: '#fff' });
    const said = one.inside ? one.weight.toFixed(2) : '0';
    pen.strokeText(said, x + unit / 2, y + unit - text / 2);
    pen.fillText(said, x + unit / 2, y + unit - text / 2);
  }
  dot(pen, (at[1] - left + 0.5) * unit, (at[0] - top + 0.5) * unit, unit / 9, hue(p), '#fff', 3);
}

function swatch(node, value, signed) {
  const shown = value.map((v) => Math.round(255 * Math.min(1, Math.max(0, signed ? 0.5 + 0.5 * v : v))));
  node.style.background = `rgb(${shown.join(', ')})`;
  node.title = value.map((v) => v.toFixed(3)).join(', ');
}

function tell(stage) {
  const { scene } = stage;
  const p = scene.points[stage.chosen];
  const sum = total(scene.points);
  swatch(stage.swatches.output, sum, scene.signed);
  swatch(stage.swatches.plain, scene.plain, scene.signed);
  stage.root.dataset.output = sum.map((v) => v.toFixed(4)).join(' ');
  const shared = scene.points.reduce((all, one) => all + one.share, 0);
  const [now, before] = [sum, scene.plain].map((values) => values.map((v) => v.toFixed(3)).join(', '));
  stage.sum.textContent = `Output ${now}; without offsets ${before}. Modulations or weights sum to ${number(shared)}.`;
  if (!p) return;
  swatch(stage.swatches.value, p.value, false);
  const [y, x] = p.at.map((v) => v.toFixed(2));
  stage.said.textContent = `${p.name}: reads at y ${y}, x ${x}, weight ${number(p.weight)}.`;
  stage.raw.hidden = !MODULATED.includes(scene.operator);
  if (stage.raw.hidden) return;
  if (document.activeElement !== stage.slider) stage.slider.value = scene.raw[stage.chosen];
  stage.rawSaid.textContent = `Raw modulation of this tap: ${number(Number(scene.raw[stage.chosen]))}, becomes ${number(p.share)}`;
}

// --- moving ---

function moveTap(stage, y, x) {
  const p = stage.scene.points[stage.chosen];
  const far = Math.max(stage.scene.rows, stage.scene.columns);
  p.at = [y, x].map((v) => Math.min(2 * far, Math.max(-far, v)));
  p.value = read(stage, p.at);
  stage.mine = true;
  paint(stage);
  stage.tools.set({ offsets: offsets(stage.scene) });
}

// the point that is looked at; a link carries it
function choose(stage, k) {
  stage.chosen = k;
  stage.scene.tap = k;
  stage.tools.note({ tap: k });
}

function goTo(stage, row, column) {
  const { rows, columns } = stage.scene;
  stage.place = within([row, column], [rows, columns]);
  stage.tools.set({ at: stage.place.map((v, k) => Math.round(1000 * (v + 0.5) / [rows, columns][k]) / 1000) });
}

function reset(stage, values) {
  stage.mine = false;
  stage.tools.set(values);
}

function listen(stage) {
  const { canvas, slider } = stage;
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    const [y, x] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    return [y * stage.scene.rows - 0.5, x * stage.scene.columns - 0.5, box.width / stage.scene.columns];
  };
  canvas.addEventListener('pointerdown', (event) => {
    const [y, x, unit] = under(event);
    const gaps = stage.scene.points.map((p) => Math.hypot(p.at[0] - y, p.at[1] - x) * unit);
    const nearest = gaps.indexOf(Math.min(...gaps));
    if (!(gaps[nearest] < NEAR)) { goTo(stage, Math.round(y), Math.round(x)); return; }
    event.preventDefault();
    canvas.focus();
    choose(stage, nearest);
    stage.drag = DRAGGED.includes(stage.scene.operator);
    canvas.setPointerCapture(event.pointerId);
    paint(stage);
  });
  canvas.addEventListener('pointermove', (event) => { if (stage.drag) moveTap(stage, ...under(event)); });
  for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { stage.drag = false; });
  canvas.addEventListener('keydown', (event) => keyed(stage, event));
  slider.addEventListener('input', () => {
    stage.scene.raw[stage.chosen] = Number(slider.value);
    stage.mine = true;
    reweigh(stage.scene);
    paint(stage);
    stage.tools.set({ raw: stage.scene.raw.map(Number) });
  });
}

function keyed(stage, event) {
  const { points } = stage.scene;
  const step = ARROWS[event.key];
  if (event.key === 'n' || event.key === 'p') {
    choose(stage, (stage.chosen + (event.key === 'n' ? 1 : points.length - 1)) % points.length);
    paint(stage);
  }
  if (!step) return;
  event.preventDefault();
  if (!event.shiftKey) goTo(stage, stage.place[0] + step[0], stage.place[1] + step[1]);
  else if (DRAGGED.includes(stage.scene.operator)) {
    const { at } = points[stage.chosen];
    moveTap(stage, at[0] + 0.25 * step[0], at[1] + 0.25 * step[1]);
  }
}

// --- the stage ---

function swatches(stage) {
  const chips = make('p', 'gb-swatches');
  for (const [name, said] of [['value', 'read here'], ['output', 'output'], ['plain', 'without offsets']]) {
    const chip = make('span', 'gb-swatch');
    stage.swatches[name] = make('i', '');
    chip.append(stage.swatches[name], make('span', '', said));
    chips.append(chip);
  }
  return chips;
}

function built(root) {
  const stage = { root, chosen: 0, drag: false, mine: false, swatches: {} };
  const main = board('', 'The map: arrow keys move the output, n and p choose a point, shift and arrows move it');
  const near = board('The chosen point and its four cells');
  const regular = board('Every output without offsets'), whole = board('Every output with them');
  Object.assign(stage, { caption: main.caption, canvas: main.canvas, near: near.canvas, regular: regular.canvas, whole: whole.canvas });
  Object.assign(stage, { said: note(), sum: make('p', 'gb-note'), raw: make('label', 'gb-raw'), rawSaid: make('span', '') });
  stage.slider = element('input', { type: 'range', min: -8, max: 8, step: 0.1 });
  stage.raw.append(stage.rawSaid, stage.slider);
  const buttons = make('div', 'gb-stage-buttons');
  stage.back = button('Back to the pattern', () => reset(stage, { offsets: [] }));
  stage.even = button('Equal modulation', () => reset(stage, { raw: [] }));
  buttons.append(button('Show all cells', () => { stage.coarse = !stage.coarse; paint(stage); }), stage.back, stage.even);
  stage.legend = make('p', 'gb-swatches');
  main.figure.append(stage.legend);
  near.figure.append(stage.said, stage.raw, swatches(stage), stage.sum, buttons);
  const first = make('div', 'gb-reads'), second = make('div', 'gb-twins');
  first.append(main.figure, near.figure);
  second.append(regular.figure, whole.figure);
  root.replaceChildren(first, second);
  listen(stage);
  resized(stage.canvas, () => all(stage));
  return stage;
}

function all(stage) {
  const { rows, columns, whole, regular } = stage.scene;
  paint(stage);
  covered(stage.whole, cells(whole, rows, columns));
  covered(stage.regular, cells(regular, rows, columns));
}

// the sentences above may grow with an answer, but never shrink, so that the picture stays under the pointer
function steady(fresh) {
  const place = document.querySelector('#deformable-notice');
  if (!place) return;
  if (fresh) place.style.minHeight = '';
  place.style.minHeight = `${Math.ceil(place.getBoundingClientRect().height)}px`;
}

// the levels' colours, where there are several
function named({ scene, legend }) {
  legend.replaceChildren(...(scene.sizes.length > 1 ? scene.sizes : []).map(([rows, columns], k) => {
    const chip = make('span', 'gb-swatch gb-level');
    const colour = make('i', '');
    colour.style.background = GROUPS[k];
    chip.append(colour, make('span', '', `level ${k + 1}: ${rows} × ${columns} cells`));
    return chip;
  }));
}

function taps(root, scene, tools) {
  const before = root.gbTaps;
  const stage = before || (root.gbTaps = built(root));
  const mine = stage.scene;
  scene.points = unpacked(scene);
  const alike = before && ['operator', 'rows', 'columns'].every((name) => mine[name] === scene[name]) && mine.points.length === scene.points.length;
  stage.mine = Boolean(alike) && stage.mine && (tools.old || stage.drag);
  if (stage.mine) {                        // what was moved is newer than this answer
    const { points, raw, start, dilation, scale } = mine;
    Object.assign(scene, { points, raw, start, dilation, scale, own: true });
  }
  if (!tools.old || !alike) stage.place = scene.start;
  steady(!before);
  Object.assign(stage, { scene, tools });
  const weights = scene.points.map((p) => p.weight);
  const dragged = DRAGGED.includes(scene.operator);
  if (!alike || !tools.old) stage.chosen = scene.points[scene.tap] ? scene.tap : dragged ? 2 : weights.indexOf(Math.max(...weights));
  stage.caption.textContent = dragged ? 'Where it reads: click a place, drag a point' : 'Where it reads: click a place or a point';
  stage.rgb = bytes(scene.map);
  stage.picture = cells(scene.map, scene.rows, scene.columns);
  stage.levels = scene.sizes.map((size, k) => (k ? level(stage.rgb, scene.columns, scene.rows, size, k) : stage.picture));
  named(stage);
  stage.back.hidden = !scene.own;
  stage.even.hidden = !scene.raw.some((v) => v) || !MODULATED.includes(scene.operator);
  all(stage);
}
taps.follows = true;

export const stages = { taps, photo, stack, fit, conventions };
