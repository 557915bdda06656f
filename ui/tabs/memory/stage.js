// The Memory tab's stages: a signal that is drawn by hand, and eigenvalues that are dragged on the unit disc. Both set parameters as typing
// into their fields does, so that links, the endpoint and the Python script know what was drawn. Scenes are the dicts of figures.py.
import { button, make, note, number } from '../../js/maps.js';

const built = new WeakMap();             // root -> its stage: canvas, focus and drag outlive an answer
const colour = (root, name) => getComputedStyle(root).getPropertyValue(name).trim() || '#777';
const bound = (v, low, high) => Math.min(high, Math.max(low, v));

// the stage of this root, made by `build` the first time
function kept(root, build) {
  if (!built.has(root)) built.set(root, build(root));
  return built.get(root);
}

// a canvas that `paint` fills anew whenever its size changes, and a row of buttons
function surface(className, paint) {
  const canvas = make('canvas', className);
  new ResizeObserver(paint).observe(canvas);
  return { canvas, row: make('div', 'gb-stage-buttons') };
}

// a pen in CSS pixels on a canvas of its own size in device pixels
function sharp(canvas) {
  const wide = canvas.clientWidth || 300;
  const high = canvas.clientHeight || 100;
  canvas.width = 2 * wide;
  canvas.height = 2 * high;
  const pen = canvas.getContext('2d');
  pen.scale(2, 2);
  return { pen, wide, high };
}

// --- a signal that is drawn ---

function paintSignal(stage) {
  const { pen, wide, high } = sharp(stage.canvas);
  pen.strokeStyle = colour(stage.root, '--gb-line');
  pen.beginPath();
  pen.moveTo(0, high / 2);
  pen.lineTo(wide, high / 2);
  pen.stroke();
  pen.strokeStyle = colour(stage.root, stage.last ? '--gb-accent' : '--gb-soft');
  pen.lineWidth = 2;
  pen.beginPath();
  stage.values.forEach((v, k) => pen.lineTo(((k + 0.5) / stage.values.length) * wide, high / 2 - v * (high / 2 - 4)));
  pen.stroke();
}

// a straight line of samples from where the pointer was last to where it is
function drawTo(stage, event) {
  const box = stage.canvas.getBoundingClientRect();
  const { values } = stage;
  const k = bound(Math.floor(((event.clientX - box.left) / box.width) * values.length), 0, values.length - 1);
  const v = bound(1.06 * (1 - (2 * (event.clientY - box.top)) / box.height), -1, 1);
  const from = stage.last || { k, v };
  for (let at = Math.min(from.k, k); at <= Math.max(from.k, k); at += 1) {
    values[at] = from.k === k ? v : from.v + ((v - from.v) * (at - from.k)) / (k - from.k);
  }
  stage.last = { k, v };
  paintSignal(stage);
}

function drawable(stage) {
  const { canvas } = stage;
  canvas.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    const { values: old, count } = stage;
    stage.values = Array.from({ length: count }, (_, k) => old[Math.floor((k / count) * old.length)]);
    drawTo(stage, event);
  });
  canvas.addEventListener('pointermove', (event) => { if (stage.last) drawTo(stage, event); });
  for (const name of ['pointerup', 'pointercancel']) {
    canvas.addEventListener(name, () => {
      if (!stage.last) return;
      stage.last = null;
      stage.tools.set({ text: stage.values.map((v) => v.toFixed(2)).join(', ') });
    });
  }
}

function buildPen(root) {
  const stage = { root, values: [], last: null };
  Object.assign(stage, surface('gb-pen', () => paintSignal(stage)));
  stage.canvas.setAttribute('role', 'img');
  stage.canvas.setAttribute('aria-label', 'The signal. Draw a new one with the pointer, or type numbers into the field of your own signal.');
  stage.back = button('Back to the chosen signal', () => stage.tools.set({ text: '' }));
  drawable(stage);
  stage.row.append(make('span', 'gb-note', 'Draw a signal here, or change this one.'), stage.back);
  root.replaceChildren(stage.canvas, stage.row);
  return stage;
}

function pen(root, scene, tools) {
  const stage = kept(root, buildPen);
  Object.assign(stage, { tools, count: scene.count });
  stage.back.hidden = !scene.own;
  if (stage.last) return;                  // a line is being drawn: what it replaces is no longer of interest
  stage.values = scene.values;
  paintSignal(stage);
}

// --- eigenvalues on the disc ---

const REACH = 1.12;                        // half the side of the picture, in radii
const NEAR = 0.12;                         // radii from an eigenvalue in which the pointer takes it
const STEPS = { ArrowLeft: [-0.01, 0], ArrowRight: [0.01, 0], ArrowUp: [0, 0.01], ArrowDown: [0, -0.01] };

function rings(pen, middle, radius) {
  for (const share of [0.25, 0.5, 0.75, 1]) {
    pen.lineWidth = share === 1 ? 2 : 1;
    pen.beginPath();
    pen.arc(middle, middle, share * radius, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(middle - radius, middle);
  pen.lineTo(middle + radius, middle);
  pen.moveTo(middle, middle - radius);
  pen.lineTo(middle, middle + radius);
  pen.stroke();
}

function paintDisc(stage) {
  const { pen, wide } = sharp(stage.canvas);
  const middle = wide / 2;
  const radius = middle / REACH;
  pen.strokeStyle = colour(stage.root, '--gb-line');
  rings(pen, middle, radius);
  stage.poles.forEach(([x, y], k) => {
    pen.fillStyle = k === stage.chosen ? '#D55E00' : '#2a7fbf';
    for (const side of [-1, 1]) {          // its mirror image first, faint
      pen.globalAlpha = side < 0 ? 0.3 : 0.9;
      pen.beginPath();
      pen.arc(middle + x * radius, middle - side * y * radius, k === stage.chosen && side > 0 ? 8 : 5.5, 0, 2 * Math.PI);
      pen.fill();
    }
  });
  pen.globalAlpha = 1;
  tell(stage);
}

function tell(stage) {
  const [x, y] = stage.poles[stage.chosen] || [0, 0];
  const size = Math.hypot(x, y);
  const half = number(size > 0 ? Math.log(0.5) / Math.log(size) : 0);
  const turn = (Math.abs(Math.atan2(y, x)) / (2 * Math.PI)).toFixed(3);
  stage.said.textContent = `Eigenvalue ${stage.chosen + 1} of ${stage.poles.length}: |λ| = ${size.toFixed(4)}, half is gone after ${half} samples, ${turn} cycles per sample.`;
}

const short = (v) => Number(v.toFixed(4));
const written = ([x, y]) => (short(y) ? `${short(x)}${y < 0 ? '' : '+'}${short(y)}i` : `${short(x)}`);

// what the user does is shown at once; the server's answer to it comes later
function become(stage, poles) {
  stage.poles = poles;
  stage.chosen = Math.min(stage.chosen, poles.length - 1);
  stage.back.hidden = false;
  paintDisc(stage);
  stage.tools.set({ poles: poles.map(written).join(', ') });
}

// the chosen eigenvalue goes to (x, y), or to the nearest place inside the circle
function move(stage, x, y) {
  const shrink = Math.min(1, 0.999 / (Math.hypot(x, y) || 1));
  become(stage, stage.poles.map((pole, k) => (k === stage.chosen ? [x * shrink, y * shrink] : pole)));
}

function grab(stage, event, [x, y]) {
  const gaps = stage.poles.map(([a, b]) => Math.min(Math.hypot(a - x, b - y), Math.hypot(a - x, b + y)));
  const nearest = gaps.indexOf(Math.min(...gaps));
  if (!(gaps[nearest] < NEAR)) return;
  event.preventDefault();
  const [a, b] = stage.poles[nearest];
  const flip = Math.hypot(a - x, b + y) < Math.hypot(a - x, b - y) ? -1 : 1;     // the mirror image was taken
  Object.assign(stage, { chosen: nearest, drag: { flip } });
  stage.canvas.setPointerCapture(event.pointerId);
  paintDisc(stage);
}

function draggable(stage) {
  const { canvas } = stage;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width * 2 - 1) * REACH, (1 - (event.clientY - box.top) / box.height * 2) * REACH];
  };
  canvas.addEventListener('pointerdown', (event) => grab(stage, event, place(event)));
  canvas.addEventListener('pointermove', (event) => {
    if (!stage.drag) return;
    const [x, y] = place(event);
    move(stage, x, stage.drag.flip * y);
  });
  for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { stage.drag = null; });
  canvas.addEventListener('keydown', (event) => {
    const count = stage.poles.length;
    if (event.key === 'n' || event.key === 'p') {
      stage.chosen = (stage.chosen + (event.key === 'n' ? 1 : count - 1)) % count;
      paintDisc(stage);
    }
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const [x, y] = stage.poles[stage.chosen];
    move(stage, x + step[0], y + step[1]);
  });
}

function add(stage) {
  const count = stage.poles.length;
  if (count >= stage.most) return;
  stage.chosen = count;
  become(stage, [...stage.poles, [0.8 * Math.cos(0.3 + 0.5 * count), 0.8 * Math.abs(Math.sin(0.3 + 0.5 * count))]]);
}

function remove(stage) {
  if (stage.poles.length > 1) become(stage, stage.poles.filter((_, k) => k !== stage.chosen));
}

function buildDisc(root) {
  const stage = { root, poles: [], chosen: 0, drag: null, said: note() };
  Object.assign(stage, surface('gb-disc', () => paintDisc(stage)));
  stage.canvas.tabIndex = 0;
  stage.canvas.setAttribute('role', 'application');
  stage.canvas.setAttribute('aria-label', 'Eigenvalues on the unit disc: n and p choose one, arrow keys move it');
  stage.back = button('Back to the chosen ones', () => stage.tools.set({ poles: '' }));
  stage.row.append(button('Add one', () => add(stage)), button('Remove the chosen', () => remove(stage)), stage.back);
  draggable(stage);
  const key = 'Drag an eigenvalue; faint: its mirror image. The nearer to the circle, the longer it remembers; the angle is its frequency. Your own ones write with strength 1 − |λ|.';
  const side = make('div', 'gb-disc-side');
  side.append(stage.row, stage.said, make('p', 'gb-note', key));
  const pair = make('div', 'gb-disc-pair');
  pair.append(stage.canvas, side);
  root.replaceChildren(pair);
  return stage;
}

function poles(root, scene, tools) {
  const stage = kept(root, buildDisc);
  Object.assign(stage, { tools, most: scene.most });
  if (tools.old) return;                   // the user's own are newer than this answer
  stage.back.hidden = !scene.own;
  if (stage.drag) return;
  stage.poles = scene.poles;
  stage.chosen = Math.min(stage.chosen, scene.poles.length - 1);
  paintDisc(stage);
}
poles.follows = true;

export const stages = { pen, poles };
