// The stages of the Attention tab: cards of maps, the sheet of all heads, the state of linear attention that is stepped, and the reach of a sparse mask.
// A state is added up here from its writes, so that stepping asks the server nothing; the server is only told the step, for the link.
import { bars, button, bytes, cell, floats, largest, make, note, number, paint, panel } from '../../js/maps.js';
import { cards, named } from './cards.js';
import { heads } from './heads.js';

const LAYERS = ['#c4470a', '#f4c025', '#9eb87a', '#009e73', '#2a7fbf', '#4d3d99'];   // first layer to last
const EVERY = 160;           // ms a step takes while it plays

// S after `step` tokens, from S after `from` tokens
function add(scene, total, from, step) {
  const { rows, columns, keys, writes } = scene;
  for (let i = from; i < step; i += 1) {
    for (let a = 0; a < rows; a += 1) {
      const weight = keys[i * rows + a];
      for (let b = 0; b < columns; b += 1) total[a * columns + b] += weight * writes[i * columns + b];
    }
  }
}

// relative error of reading every value so far with its own key: k^T S / k^T z, or k^T S under the delta rule
function readBack({ scene, total, sum }, step) {
  const { rows, columns, keys, values } = scene;
  const errors = new Float32Array(scene.n);
  for (let j = 0; j < step; j += 1) {
    const key = keys.subarray(j * rows, (j + 1) * rows);
    const scale = scene.delta ? 1 : key.reduce((all, v, a) => all + v * sum[a], 0);
    let gap = 0;
    let size = 0;
    for (let b = 0; b < columns; b += 1) {
      let found = 0;
      for (let a = 0; a < rows; a += 1) found += key[a] * total[a * columns + b];
      const value = values[j * columns + b];
      gap += (found / scale - value) ** 2;
      size += value ** 2;
    }
    errors[j] = Math.sqrt(gap / size);
  }
  return errors;
}

function stepped(stage, step) {
  const { scene } = stage;
  if (step < stage.done) {
    stage.total.fill(0);
    stage.sum.fill(0);
    stage.done = 0;
  }
  add(scene, stage.total, stage.done, step);
  for (let i = stage.done; i < step; i += 1) for (let a = 0; a < scene.rows; a += 1) stage.sum[a] += scene.keys[i * scene.rows + a];
  stage.done = step;
  const last = step - 1;
  const write = new Float32Array(scene.rows * scene.columns);
  add(scene, write, last, step);
  const signed = { bound: scene.bound, signed: true };
  paint(stage.state.canvas, stage.total, scene.rows, scene.columns, signed);
  paint(stage.write.canvas, write, scene.rows, scene.columns, signed);
  paint(stage.sums, stage.sum, scene.rows, 1, { bound: stage.highest, signed: false });
  const errors = readBack(stage, step);
  const mean = errors.reduce((all, v) => all + v, 0) / step;
  const colour = getComputedStyle(stage.root).getPropertyValue('--gb-accent');
  bars(stage.recall.canvas, errors, 0, scene.n, { bound: Math.max(1, largest(errors)), signed: false, colour });
  stage.slider.value = step;
  stage.number.textContent = step;
  Object.assign(stage.root.dataset, { step, mean });
  stage.note.textContent = `After token ${step} of ${scene.n}, “${named(scene.labels[last])}”: the value just written reads back with relative error ${number(errors[last])}, the first one with ${number(errors[0])}, all ${step} with ${number(mean)} on average. Tallest bar: ${number(largest(errors))}.`;
}

// a step by the user's hand; told to the server once it stands
function go(stage, step) {
  play(stage, false);
  stepped(stage, Math.min(stage.scene.n, Math.max(1, step)));
  stage.tools.note({ step: stage.done });
}

function play(stage, on) {
  if (stage.timer && !on) stage.tools.note({ step: stage.done });
  clearInterval(stage.timer);
  stage.timer = on ? setInterval(() => {
    if (!stage.root.isConnected || stage.done >= stage.scene.n) play(stage, false);
    else stepped(stage, stage.done + 1);
  }, EVERY) : 0;
  stage.button.textContent = on ? 'Pause' : 'Play';
}

function controls(stage) {
  const row = make('div', 'gb-stage-buttons');
  const label = make('label', 'gb-step');
  stage.slider = Object.assign(make('input', ''), { type: 'range', min: 1, step: 1 });
  stage.number = make('output', '');
  stage.slider.addEventListener('input', () => { play(stage, false); stepped(stage, Number(stage.slider.value)); });
  stage.slider.addEventListener('change', () => go(stage, Number(stage.slider.value)));
  stage.button = button('Play', () => {
    if (!stage.timer && stage.done >= stage.scene.n) stepped(stage, 1);
    play(stage, !stage.timer);
  });
  label.append(make('span', '', 'Step'), stage.slider, stage.number);
  row.append(button('Back', () => go(stage, stage.done - 1)), stage.button, button('Forward', () => go(stage, stage.done + 1)), label);
  return row;
}

function start(root) {
  const stage = { root, note: note(), sums: make('canvas', ''), state: panel(''), write: panel('What this step adds to S') };
  stage.recall = panel('Relative error of reading every value back with its own key', 'gb-strip');
  const [beside, row] = [make('div', 'gb-beside'), make('div', 'gb-panels')];
  beside.append(stage.state.canvas, stage.sums);
  stage.state.figure.append(beside);
  stage.state.canvas.setAttribute('role', 'img');
  row.append(stage.state.figure, stage.write.figure);
  root.replaceChildren(controls(stage), row, stage.recall.figure, stage.note);
  return stage;
}

// The step is the user's own: only an answer to a message, such as a preset's, sets it, and none that is older than the last step.
function state(root, scene, tools) {
  if (!scene.n) return;                    // the lesson is still worked out; what is drawn stays
  const first = !root.state;
  const stage = (root.state ||= start(root));
  const step = first || (tools.value.turn && !tools.old) ? scene.step : stage.done;
  for (const name of ['keys', 'writes']) scene[name] = floats(scene[name]);
  scene.values = scene.delta ? floats(scene.values) : scene.writes;
  Object.assign(stage, { scene, tools, total: new Float32Array(scene.rows * scene.columns), sum: new Float32Array(scene.rows), done: 0 });
  const whole = new Float32Array(scene.rows);
  scene.keys.forEach((v, at) => { whole[at % scene.rows] += v; });
  stage.highest = largest(whole) || 1;
  stage.state.caption.textContent = scene.delta ? 'State S' : 'State S, and z at its right';
  stage.sums.hidden = scene.delta;
  stage.slider.max = scene.n;
  stage.state.canvas.setAttribute('aria-label', `State of ${scene.rows} features by ${scene.columns} value channels; the sentence below says what it holds`);
  stepped(stage, Math.min(step, scene.n));
}

const hue = (depth, layer) => LAYERS[depth <= LAYERS.length ? layer - 1 : Math.round(((layer - 1) / (depth - 1)) * (LAYERS.length - 1))];

// every pair that is reached within `within` layers, in the hue of its layer
function pattern(canvas, { n, first, depth }, within) {
  Object.assign(canvas, { width: n, height: n, tabIndex: 0 });
  const pen = canvas.getContext('2d');
  first.forEach((layer, at) => {
    if (!layer || layer > within) return;
    pen.fillStyle = hue(depth, layer);
    pen.fillRect(at % n, Math.floor(at / n), 1, 1);
  });
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', 'Map of queries by keys; arrow keys read it');
}

function reached({ n, first, labels, depth }, [i, j]) {
  const layer = first[i * n + j];
  const [query, key] = [`Query ${i} “${named(labels[i])}”`, `key ${j} “${named(labels[j])}”`];
  if (!layer) return `${query} does not depend on ${key} within ${depth} layers.`;
  return `${query} first depends on ${key} after ${layer} layer${layer > 1 ? 's' : ''}.`;
}

function legend(scene) {
  const row = make('p', 'gb-layers');
  row.append(...scene.reach.map((share, k) => {
    const entry = make('span', '', `${k + 1} layer${k ? 's' : ''}: ${number(100 * share)} %`);
    entry.style.setProperty('--hue', hue(scene.depth, k + 1));
    return entry;
  }));
  return row;
}

function mask(root, scene) {
  if (!scene.n) return;
  const { n } = scene;
  scene.first = bytes(scene.first);
  const maps = [panel('What one layer may look at'), panel(`What ${scene.depth} layer${scene.depth > 1 ? 's' : ''} reach`)];
  maps.forEach(({ canvas }, k) => pattern(canvas, scene, k ? scene.depth : 1));
  const words = note();
  let at = [n - 1, 0];
  const tell = (next) => { at = next; words.textContent = reached(scene, at); };
  for (const { canvas } of maps) {
    canvas.addEventListener('pointermove', (event) => tell(cell(event, canvas, n, n)));
    canvas.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      tell(at.map((value, k) => Math.min(n - 1, Math.max(0, value + step[k]))));
    });
  }
  const row = make('div', 'gb-panels');
  row.append(...maps.map(({ figure }) => figure));
  root.replaceChildren(row, legend(scene), words);
  tell(at);
}

export const stages = { cards, heads, state, mask };
