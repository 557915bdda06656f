// MoE: a text coloured by expert; routers on the plane and sheets are in their own files. Scenes are the dicts of figures.py.
import { bytes, floats, make } from '../../js/maps.js';
import { plane } from './plane.js';
import { sheet } from './sheet.js';

const NONE = 255;
const NAMED = 3;                          // experts of a byte or token that are named in words
const percent = (v) => `${Math.round(100 * v)} %`;

function legend(root, scene) {
  const row = make('div', 'gb-experts');
  row.setAttribute('role', 'group');
  row.setAttribute('aria-label', `Experts: press one to see its ${scene.unit}s alone`);
  const chips = scene.chips || [...scene.colours.keys()];
  chips.forEach((e) => {
    const colour = scene.colours[e];
    const chip = make('button', 'gb-expert', String(e));
    chip.type = 'button';
    chip.style.setProperty('--hue', colour);
    chip.setAttribute('aria-pressed', 'false');
    chip.addEventListener('click', () => {
      const on = root.dataset.only !== String(e);
      root.dataset.only = on ? e : '';
      row.querySelectorAll('button').forEach((other) => other.setAttribute('aria-pressed', String(on && other === chip)));
      root.querySelectorAll('.gb-byte').forEach((one) => one.classList.toggle('gb-faint', on && one.dataset.expert !== String(e)));
    });
    row.append(chip);
  });
  return row;
}

// the experts that took a byte or token, the largest weight first
function took(scene, layer, at) {
  const gates = layer.gates.subarray(at * scene.colours.length, (at + 1) * scene.colours.length);
  return [...gates.keys()].filter((e) => gates[e] > 0).sort((a, b) => gates[b] - gates[a]);
}

// one layer's probabilities, or the weights of a token's experts, as bars with the experts that took it marked
function bars(scene, layer, at) {
  const row = make('div', 'gb-bars');
  const count = scene.colours.length;
  const shown = layer.p ? [...scene.colours.keys()] : took(scene, layer, at);
  shown.forEach((e) => {
    const colour = scene.colours[e];
    const gate = layer.gates[at * count + e];
    const p = layer.p ? layer.p[at * count + e] : gate / Math.max(1, layer.most);
    const bar = make('span', gate > 0 ? 'gb-bar gb-took' : 'gb-bar');
    bar.style.setProperty('--hue', colour);
    bar.style.setProperty('--size', `${Math.max(2, 100 * p)}%`);
    bar.append(make('i', ''), make('b', '', String(e)));
    const weight = gate > 0 ? `, weight ${percent(gate)}` : '';
    bar.title = layer.p ? `expert ${e}: ${scene.score} = ${percent(p)}${weight}` : `expert ${e}${weight}`;
    row.append(bar);
  });
  return row;
}

function sentence(scene, layer, at) {
  const count = scene.colours.length;
  const state = ['', ', not all it asked for', ', dropped: the residual alone'][layer.state[at]];
  const all = took(scene, layer, at);
  const named = all.slice(0, NAMED).map((e) => `${e} (weight ${percent(layer.gates[at * count + e])})`).join(', ')
    + (all.length > NAMED ? ', …' : '');
  return `layer ${layer.layer}: ${named ? `expert ${named}` : 'none'}${state}`;
}

function tell(stage, at) {
  const { scene, detail } = stage;
  const char = scene.chars[at];
  const name = { '\n': 'newline', ' ': 'space', '\t': 'tab' }[char] || char;
  const head = make('p', 'gb-at', `${scene.unit} ${at}, “${name}”`);
  head.append(...scene.layers.map((layer) => make('span', '', sentence(scene, layer, at))));
  detail.replaceChildren(head, ...scene.layers.map((layer) => {
    const part = make('div', 'gb-at-layer');
    part.append(make('span', 'gb-note', `layer ${layer.layer}`), bars(scene, layer, at));
    return part;
  }));
  stage.at = at;
  for (const box of stage.boxes) {
    box.querySelector('.gb-here')?.classList.remove('gb-here');
    box.children[at].classList.add('gb-here');
  }
}

function colour(stage, layer) {
  const box = make('div', 'gb-routed');
  box.tabIndex = 0;
  box.translate = false;
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', `The text by expert in layer ${layer.layer}; arrow keys read it`);
  const { scene } = stage;
  const { chars, colours } = scene;
  const bytes = chars.map((char, at) => {
    const e = layer.main[at];
    const one = make('span', `gb-byte gb-state-${layer.state[at]}`, char.replaceAll('\n', '↵\n'));
    one.dataset.expert = e;
    if (scene.k || e !== NONE) one.style.setProperty('--hue', colours[e]);
    return one;
  });
  box.append(...bytes);
  box.addEventListener('pointerover', (event) => {
    const at = bytes.indexOf(event.target);
    if (at >= 0) tell(stage, at);
  });
  box.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -20, ArrowDown: 20 }[event.key];
    if (!step) return;
    event.preventDefault();
    tell(stage, Math.min(bytes.length - 1, Math.max(0, stage.at + step)));
  });
  return box;
}

// of every byte all experts' probabilities and weights
function dense(layer) {
  const share = (text) => Float32Array.from(bytes(text), (v) => v / 255);
  return { ...layer, main: bytes(layer.main), state: bytes(layer.state), p: share(layer.p), gates: share(layer.gates) };
}

// of every token its k experts and their weights, the largest first
function sparse(layer, count, k) {
  const experts = new Uint16Array(bytes(layer.experts).buffer);
  const weights = floats(layer.weights);
  const n = experts.length / k;
  const gates = new Float32Array(n * count);
  experts.forEach((e, at) => { gates[Math.floor(at / k) * count + e] = weights[at]; });
  const main = Uint16Array.from({ length: n }, (_, at) => experts[at * k]);
  return { ...layer, main, state: new Uint8Array(n), gates, most: weights.reduce((a, b) => Math.max(a, b), 0) };
}

function routed(root, scene) {
  scene.chars = scene.labels || Array.from(scene.text);
  scene.layers = scene.layers.map((layer) => (scene.k ? sparse(layer, scene.colours.length, scene.k) : dense(layer)));
  const stage = { root, scene, at: 0, boxes: [], detail: make('div', 'gb-detail') };
  stage.detail.setAttribute('aria-live', 'polite');
  root.dataset.only = '';
  const key = make('p', 'gb-note', scene.note);
  const texts = scene.layers.map((layer) => {
    const part = make('section', 'gb-routed-layer');
    const box = colour(stage, layer);
    stage.boxes.push(box);
    part.append(make('h4', '', `Layer ${layer.layer}`), box);
    return part;
  });
  const pair = make('div', 'gb-routed-pair');
  pair.append(...texts);
  root.replaceChildren(legend(root, scene), stage.detail, pair, key);
  tell(stage, Math.min(40, scene.chars.length - 1));
}

export const stages = { routed, plane, sheet };
