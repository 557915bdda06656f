// All heads of a model: a small map of each, in the order of the layers or sorted by a score. Pointing at one reads its scores, a click or
// Enter opens it on the cards; arrow keys move. Sorting happens in the browser; the order
// is told for the link alone.
import { button, bytes, legend, make, note, number, paint } from '../../js/maps.js';

const SCORES = { first: 'First token', previous: 'Previous token', induction: 'Induction', entropy: 'Entropy', reach: 'Mean distance' };
const LAYERS = 'layers';
const short = (v) => v.toFixed(v < 10 ? 2 : 1);

// the values (side x side) of head `at`: one byte a cell below the diagonal, 255 times the root of the weight
function values({ side, cells }, at) {
  const found = new Float32Array(side * side);
  const size = (side * (side + 1)) / 2;
  for (let i = 0, from = at * size; i < side; i += 1) {
    for (let j = 0; j <= i; j += 1, from += 1) found[i * side + j] = (cells[from] / 255) ** 2;
  }
  return found;
}

const draw = (canvas, scene, at) => paint(canvas, values(scene, at), scene.side, scene.side, { bound: 1, signed: false, triangle: true });
const place = ({ heads }, at) => [Math.floor(at / heads) + 1, (at % heads) + 1];

function told(scene, at) {
  const [layer, head] = place(scene, at);
  const value = (name) => number(scene.scores[name][at]);
  const induction = scene.scores.induction ? `, induction ${value('induction')} (${value('baseline')} without a repeat)` : '';
  return `Layer ${layer}, head ${head}: ${value('first')} on the first token, ${value('previous')} on the previous one${induction}, entropy ${value('entropy')} nats, reach ${value('reach')} tokens.`;
}

function point(state, at, focus = false) {
  const { scene, nodes } = state;
  if (state.at !== undefined && nodes.get(state.at)) nodes.get(state.at).tabIndex = -1;
  state.at = at;
  const node = nodes.get(at);
  node.tabIndex = 0;
  if (focus) node.focus();
  draw(state.large, scene, at);
  state.note.textContent = told(scene, at);
  state.root.dataset.at = place(scene, at).join('.');
}

function open(state, at) {
  const [layer, head] = place(state.scene, at);
  state.tools.set({ layer, head, source: state.scene.source, lesson: 'none' });
}

// one head: its map, and under it what the heads are sorted by
function thumbnail(state, at) {
  const [layer, head] = place(state.scene, at);
  const node = button('', () => open(state, at), 'gb-head-map');
  const canvas = make('canvas', '');
  draw(canvas, state.scene, at);
  node.append(canvas);
  if (state.order !== LAYERS) {
    node.append(make('span', 'gb-head-name', `${layer}.${head}`), make('span', '', short(state.scene.scores[state.order][at])));
  }
  node.setAttribute('aria-label', `Layer ${layer}, head ${head}`);
  node.tabIndex = -1;
  node.addEventListener('pointerenter', () => point(state, at));
  node.addEventListener('focus', () => { if (state.at !== at) point(state, at); });
  state.nodes.set(at, node);
  return node;
}

// The order that was chosen, once its scores are there.
const settled = ({ scene, wanted }) => (scene.scores[wanted] ? wanted : LAYERS);

function laid(state) {
  const { scene, sheet } = state;
  const order = state.order = settled(state);
  const all = Array.from({ length: scene.layers * scene.heads }, (_, at) => at);
  state.nodes = new Map();
  sheet.dataset.order = order;
  if (order === LAYERS) {
    state.line = all;
    sheet.replaceChildren(...Array.from({ length: scene.layers }, (_, layer) => {
      const row = make('div', 'gb-heads-row');
      row.append(make('span', 'gb-heads-layer', String(layer + 1)), ...all.slice(layer * scene.heads, (layer + 1) * scene.heads).map((at) => thumbnail(state, at)));
      return row;
    }));
  } else {
    const score = scene.scores[order];
    state.line = all.sort((a, b) => score[b] - score[a]);
    sheet.replaceChildren(...state.line.map((at) => thumbnail(state, at)));
  }
  for (const node of state.choices) {
    node.setAttribute('aria-pressed', node.dataset.order === order);
    node.disabled = node.dataset.order !== LAYERS && !scene.scores[node.dataset.order];
  }
}

// to the next head, or to that above or below as the page has broken the lines
function step(state, key) {
  const at = state.line.indexOf(state.at);
  if (key === 'ArrowLeft' || key === 'ArrowRight') return state.line[at + (key === 'ArrowLeft' ? -1 : 1)];
  const wide = state.order === LAYERS ? state.scene.heads : across(state);
  return state.line[at + (key === 'ArrowUp' ? -wide : wide)];
}

function across({ line, nodes }) {
  const top = nodes.get(line[0]).offsetTop;
  const more = line.findIndex((at) => nodes.get(at).offsetTop > top);
  return more < 0 ? line.length : more;
}

function choice(state, order, words) {
  const node = button(words, () => {
    state.wanted = order;
    laid(state);
    point(state, order === LAYERS ? state.at : state.line[0]);
    state.tools.note({ order });
  });
  node.dataset.order = order;
  return node;
}

function start(root) {
  const state = { root, wanted: LAYERS, note: note(), large: make('canvas', 'gb-head-large'), sheet: make('div', 'gb-heads'), nodes: new Map() };
  const [bar, peek, words, scale] = [make('div', 'gb-cards-bar'), make('div', 'gb-peek'), make('div', ''), make('div', 'gb-scale')];
  state.choices = [choice(state, LAYERS, 'By layer'), ...Object.entries(SCORES).map(([name, text]) => choice(state, name, text))];
  bar.setAttribute('role', 'group');
  bar.setAttribute('aria-label', 'The order of the heads');
  bar.append(make('span', 'gb-cards-help', 'Sort'), ...state.choices);
  const colours = make('canvas', '');
  legend(colours, false);
  scale.append(make('span', '', '0'), colours, make('span', '', '1'));
  state.large.setAttribute('role', 'img');
  state.large.setAttribute('aria-label', 'The map of this head');
  words.append(state.note, scale, make('p', 'gb-cards-help', 'A click or Enter opens a head, arrow keys move.'));
  peek.append(state.large, words);
  state.sheet.setAttribute('role', 'group');
  state.sheet.setAttribute('aria-label', 'All heads: a click or Enter opens one, arrow keys move');
  state.sheet.addEventListener('keydown', (event) => {
    if (!event.key.startsWith('Arrow')) return;
    event.preventDefault();
    const next = step(state, event.key);
    if (next !== undefined) point(state, next, true);
  });
  root.replaceChildren(bar, peek, state.sheet);
  return state;
}

// scene: the dict of scenes.py. The pointed head stays as long as there is such a one; the order is the user's own: only an answer to a
// message, such as a preset's, sets it, and none that is older than the last choice.
export function heads(root, scene, tools) {
  const first = !root.sheet;
  const state = (root.sheet ||= start(root));
  scene.cells = bytes(scene.maps);
  for (const [name, { bound, data }] of Object.entries(scene.scores)) {
    scene.scores[name] = Float32Array.from(new Uint16Array(bytes(data).buffer), (level) => (bound * level) / 65535);
  }
  const focused = state.sheet.contains(document.activeElement);
  const before = state.order;
  Object.assign(state, { scene, tools });
  if (first || (tools.value.turn && !tools.old)) state.wanted = scene.order;
  root.style.setProperty('--heads', scene.heads);
  laid(state);
  const count = scene.layers * scene.heads;
  const chosen = state.order === LAYERS ? Math.min(count, (scene.layer - 1) * scene.heads + scene.head) - 1 : state.line[0];
  point(state, state.at < count && state.order === before ? state.at : chosen, focused);
  Object.assign(root.dataset, { count, induction: Boolean(scene.scores.induction) });
}
