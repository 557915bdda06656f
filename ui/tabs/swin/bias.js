// The tables of the position bias, which can be edited: the drawn head's large, those of all heads as cards.
import { ARROWS, outline, reached, resized, sized, within } from '../../js/board.js';
import { button, bytes, cell as under, floats, largest, make, note, number, paint, panel } from '../../js/maps.js';
import { LINK, attention, link, peers } from './pairs.js';

const EDITED = '#e69f00';

function offset(state, at = state.at) {
  return { dy: at[0] - (state.scene.rows - 1) / 2, dx: at[1] - (state.scene.columns - 1) / 2 };
}

const inside = ({ rows, columns }, [r, c]) => r >= 0 && c >= 0 && r < rows && c < columns;

// edited cells as [row, column, value]
function edited(scene) {
  const found = scene.edits.map(([dy, dx, value]) => [dy + (scene.rows - 1) / 2, dx + (scene.columns - 1) / 2, value]);
  return found.filter((one) => inside(scene, one));
}

const cell = ({ at, scene }) => at[0] * scene.columns + at[1];

// the edits of other cells
function others(state) {
  const { dy, dx } = offset(state);
  return state.scene.edits.filter(([y, x]) => y !== dy || x !== dx);
}

function send(state, edits) {
  state.scene.edits = edits;
  state.tools.set({ edits });
}

function edit(state, by) {
  const value = Math.max(-20, Math.min(20, Math.round((state.values[cell(state)] + by) * 100) / 100));
  const { dy, dx } = offset(state);
  state.values[cell(state)] = value;
  attention(state);
  send(state, [...others(state), [dy, dx, value]]);
  shown(state);
}

function keyed(state, event) {
  const { rows, columns } = state.scene;
  const step = ARROWS[event.key];
  if (event.key === '+' || event.key === '-') edit(state, event.key === '+' ? 1 : -1);
  else if (step) state.at = within(state.at.map((v, k) => v + step[k]), [rows, columns]);
  else return;
  event.preventDefault();
  big(state);
  link(state, offset(state));
}

function built(root) {
  const state = { root, big: panel(''), heads: make('div', 'gb-board-cards'), note: note(), at: null, pair: null };
  const { canvas } = state.big;
  const bar = make('div', 'gb-stage-buttons');
  bar.append(...[-1, 1, -5, 5].map((by) => button(by < 0 ? `−${-by}` : `+${by}`, () => edit(state, by))),
    button('Reset the cell', () => send(state, others(state))), button('Reset all', () => send(state, [])));
  const left = make('div', 'gb-board-table');
  left.append(state.big.figure, bar, state.note);
  const row = make('div', 'gb-board-model');
  row.append(left, state.heads);
  root.replaceChildren(row);
  reached(canvas, '');
  const pointedAt = (event) => under(event, canvas, state.scene.rows, state.scene.columns);
  canvas.addEventListener('click', (event) => { state.at = pointedAt(event); big(state); link(state, offset(state)); });
  canvas.addEventListener('pointermove', (event) => link(state, offset(state, pointedAt(event))));
  canvas.addEventListener('pointerleave', () => link(state, offset(state)));
  canvas.addEventListener('keydown', (event) => keyed(state, event));
  state.pointed = (pair) => { state.pair = pair; big(state); };
  resized(canvas, () => big(state));
  return state;
}

// a head's table: its numbers where it is the drawn one, else levels of one byte
function table(state, head) {
  const size = state.scene.rows * state.scene.columns;
  return head === state.scene.head ? state.values : state.small.subarray(head * size, (head + 1) * size);
}

function big(state) {
  const { scene } = state;
  const [pen, w, h] = sized(state.big.canvas, scene.columns / scene.rows);
  const small = document.createElement('canvas');
  const values = table(state, scene.head);
  paint(small, values, scene.rows, scene.columns, { bound: largest(values) || 1, signed: true });
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, 0, 0, w, h);
  const [cw, ch] = [w / scene.columns, h / scene.rows];
  const middle = [(scene.rows - 1) / 2, (scene.columns - 1) / 2];
  const marks = [...edited(scene).map(([r, c]) => [r, c, EDITED]), [...state.at, '#ffffff']];
  if (state.pair) marks.push([state.pair.dy + middle[0], state.pair.dx + middle[1], LINK]);
  for (const [r, c, colour] of marks) outline(pen, c * cw + 1, r * ch + 1, cw - 2, ch - 2, colour, 2);
  const { dy, dx } = offset(state);
  const pairs = ((scene.rows + 1) / 2 - Math.abs(dy)) * ((scene.columns + 1) / 2 - Math.abs(dx));
  state.big.caption.textContent = `Bias of head ${scene.head + 1}: rows are dy, columns dx, query − key; blue below zero, red above`;
  state.note.textContent = `Offset (${dy}, ${dx}): ${number(values[cell(state)])}, shared by the ${pairs} pairs of every window that are marked above. Keys + and − change it; the attention above follows.`;
  state.big.canvas.setAttribute('aria-label', `Bias table of head ${scene.head + 1}, ${scene.rows} by ${scene.columns} offsets; arrow keys choose a cell, plus and minus change it`);
}

function shown(state) {
  const { scene } = state;
  big(state);
  state.heads.replaceChildren(...Array.from({ length: scene.heads }, (_, head) => {
    const node = button('', () => state.tools.set({ head: head + 1 }), 'gb-board-card');
    const canvas = make('canvas', '');
    const values = table(state, head);
    paint(canvas, values, scene.rows, scene.columns, { bound: largest(values) || 1, signed: true });
    node.append(canvas, make('span', '', `Head ${head + 1}`));
    node.setAttribute('aria-pressed', head === scene.head);
    return node;
  }));
  state.root.dataset.head = scene.head + 1;
}

export function bias(root, scene, tools) {
  const before = root.gbBias;
  const state = before || (root.gbBias = built(root));
  const mine = before && tools.old && ['rows', 'columns', 'head'].every((name) => state.scene[name] === scene[name]);
  if (mine) scene.edits = state.scene.edits;                 // what was edited since is newer than this answer
  state.values = floats(scene.data);
  if (mine) for (const [r, c, value] of edited(scene)) state.values[r * scene.columns + c] = value;
  state.small = Float32Array.from(bytes(scene.small), (level) => level - 128);
  Object.assign(state, { scene, tools });
  if (!state.at || !inside(scene, state.at)) state.at = (edited(scene).at(-1) || [(scene.rows - 1) / 2, (scene.columns - 1) / 2]).slice(0, 2);
  peers(root).bias = state;
  shown(state);
  link(state, offset(state));
}
bias.follows = true;
