// MoE: a text coloured by expert; routers on the plane and sheets are in their own files. Scenes are the dicts of figures.py.
import { bytes, make } from '../../js/maps.js';
import { plane } from './plane.js';
import { sheet } from './sheet.js';

const NONE = 255;
const percent = (v) => `${Math.round(100 * v)} %`;

function legend(root, scene) {
  const row = make('div', 'gb-experts');
  row.setAttribute('role', 'group');
  row.setAttribute('aria-label', 'Experts: press one to see its bytes alone');
  scene.colours.forEach((colour, e) => {
    const chip = make('button', 'gb-expert', String(e));
    chip.type = 'button';
    chip.style.setProperty('--hue', colour);
    chip.setAttribute('aria-pressed', 'false');
    chip.addEventListener('click', () => {
      const on = root.dataset.only !== String(e);
      root.dataset.only = on ? e : '';
      row.querySelectorAll('button').forEach((other, k) => other.setAttribute('aria-pressed', String(on && k === e)));
      root.querySelectorAll('.gb-byte').forEach((one) => one.classList.toggle('gb-faint', on && one.dataset.expert !== String(e)));
    });
    row.append(chip);
  });
  return row;
}

// one layer's probabilities at one byte, as bars with the experts that took it marked
function bars(scene, layer, at) {
  const row = make('div', 'gb-bars');
  scene.colours.forEach((colour, e) => {
    const count = scene.colours.length;
    const p = layer.p[at * count + e] / 255;
    const gate = layer.gates[at * count + e] / 255;
    const bar = make('span', gate > 0 ? 'gb-bar gb-took' : 'gb-bar');
    bar.style.setProperty('--hue', colour);
    bar.style.setProperty('--size', `${Math.max(2, 100 * p)}%`);
    bar.append(make('i', ''), make('b', '', String(e)));
    bar.title = `expert ${e}: ${scene.score} = ${percent(p)}${gate > 0 ? `, weight ${percent(gate)}` : ''}`;
    row.append(bar);
  });
  return row;
}

function sentence(scene, layer, at) {
  const count = scene.colours.length;
  const took = [...Array(count).keys()].filter((e) => layer.gates[at * count + e] > 0)
    .sort((a, b) => layer.gates[at * count + b] - layer.gates[at * count + a]);
  const state = ['', ', not all it asked for', ', dropped: the residual alone'][layer.state[at]];
  const named = took.map((e) => `${e} (weight ${percent(layer.gates[at * count + e] / 255)})`).join(', ');
  return `layer ${layer.layer}: ${named ? `expert ${named}` : 'none'}${state}`;
}

function tell(stage, at) {
  const { scene, detail } = stage;
  const char = scene.chars[at];
  const name = { '\n': 'newline', ' ': 'space', '\t': 'tab' }[char] || char;
  const head = make('p', 'gb-at', `byte ${at}, “${name}”`);
  head.append(make('span', '', scene.layers.map((layer) => sentence(scene, layer, at)).join(' · ')));
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
  const { chars, colours } = stage.scene;
  const bytes = chars.map((char, at) => {
    const e = layer.main[at];
    const one = make('span', `gb-byte gb-state-${layer.state[at]}`, char === '\n' ? '↵\n' : char);
    one.dataset.expert = e;
    if (e !== NONE) one.style.setProperty('--hue', colours[e]);
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

function routed(root, scene) {
    scene.chars = Array.from(scene.text);
  scene.layers = scene.layers.map((layer) => ({ ...layer, ...Object.fromEntries(['main', 'state', 'p', 'gates'].map((k) => [k, bytes(layer[k])])) }));
  const stage = { root, scene, at: 0, boxes: [], detail: make('div', 'gb-detail') };
  stage.detail.setAttribute('aria-live', 'polite');
  root.dataset.only = '';
  const key = make('p', 'gb-note', 'Coloured by the expert with the largest weight; struck through: no expert had a place; dotted: not all that were asked. Hover, or use arrow keys, for the router’s probabilities.');
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
