// The pairs of the chosen window: who may look at whom, or how much. In the view of the position bias they are linked with the table: a
// cell of it marks all pairs of its offset, and the key that the chosen token reads with it; a pair marks its cell. Where both libraries
// are shown, the other one's map takes their place.
import { outline, pixels, sized } from '../../js/board.js';
import { flat } from './scale.js';
import { HUES, repaint, stepTo } from './tokens.js';

const CLOSED = '#20262e';
const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
export const LINK = '#ffd166';

// the stages that stand together in one view: {tokens, bias}
const together = new WeakMap();

export function peers(root) {
  if (!together.has(root.parentNode)) together.set(root.parentNode, {});
  return together.get(root.parentNode);
}

// the offset of the table's cell that is chosen or pointed at; null in the other views
function linked({ root, scene }) {
  return root && scene.view === 'bias' ? peers(root).bias?.linked : null;
}

// (dy, dx) = query - key of two places of a window
function apart({ mw }, i, j) {
  return { dy: Math.floor(i / mw) - Math.floor(j / mw), dx: (i % mw) - (j % mw) };
}

// all pairs of the window, one pixel each: who sees whom, or weights against those of equal ones in the same row
function grid(stage, weighted) {
  const { scene, map: m, chosen } = stage;
  const members = m.members[chosen.cell.window];
  const open = (i, j) => !scene.masked || members[i].region === members[j].region;
  const visible = members.map((_, i) => members.filter((__, j) => open(i, j)).length);
  const from = chosen.cell.window * m.n * m.n;
  return pixels(m.n, m.n, (at) => {
    const [i, j] = [Math.floor(at / m.n), at % m.n];
    if (!open(i, j)) return channels(CLOSED);
    return weighted ? flat(m.weights[from + at] * visible[i]) : channels(HUES[members[i].region]);
  });
}

function marks(stage, pen, size) {
  const { map: m } = stage;
  const offset = linked(stage);
  if (!offset) return;
  for (let i = 0; i < m.n; i += 1) {
    for (let j = 0; j < m.n; j += 1) {
      const { dy, dx } = apart(m, i, j);
      if (dy !== offset.dy || dx !== offset.dx) continue;
      pen.fillStyle = '#000';
      pen.fillRect(j * size, i * size, size, size);
      pen.fillStyle = LINK;
      pen.fillRect(j * size + 1, i * size + 1, Math.max(1, size - 2), Math.max(1, size - 2));
    }
  }
}

export function pairs(stage, weighted) {
  const { map: m, chosen, parts } = stage;
  const [pen, width] = sized(parts.pairs.canvas, 1);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(grid(stage, weighted), 0, 0, width, width);
  const size = width / m.n;
  marks(stage, pen, size);
  outline(pen, 1, chosen.cell.inner * size, width - 2, size, '#ffffff', 1.5);
  parts.pairs.caption.textContent = `${weighted ? 'Attention' : 'Who sees whom'}, ${m.n} × ${m.n}`;
  parts.pairs.canvas.setAttribute('aria-label', `${m.n} by ${m.n} pairs of the chosen window; the sentence below says what is under the pointer`);
}

// the place of the window that the chosen token reads with the marked offset, or null
export function reads(stage) {
  const { map: m, chosen } = stage;
  const offset = linked(stage);
  if (!offset) return null;
  const [r, c] = [Math.floor(chosen.cell.inner / m.mw) - offset.dy, (chosen.cell.inner % m.mw) - offset.dx];
  return r >= 0 && c >= 0 && r < m.mh && c < m.mw ? m.members[chosen.cell.window][r * m.mw + c] : null;
}

// a cell of the table is chosen or under the pointer
export function link(table, offset) {
  table.linked = offset;
  const { tokens } = peers(table.root);
  if (tokens?.now) repaint(tokens);
}

// a pair is under the pointer: its cell of the table
export function pointed(stage, pair) {
  if (stage.scene.view !== 'bias') return;
  peers(stage.root).bias?.pointed(pair && apart(stage.map, ...pair));
}

// what was edited is seen in the attention
export function attention(table) {
  const { tokens } = peers(table.root);
  if (tokens && !['attention', 'back'].includes(tokens.step)) stepTo(tokens, 'attention');
}

const ORDERS = { timm: 'timm: roll, then pad', torchvision: 'torchvision: pad, then roll', microsoft: 'Microsoft: no shift where the window covers a side' };

// the second picture, and the third where both libraries are shown
export function captions(stage) {
  const { parts, scene, twin } = stage;
  stage.panels.toggleAttribute('data-twin', Boolean(twin));
  parts.twin.figure.hidden = !twin;
  parts.pairs.figure.hidden = Boolean(twin);
  parts.work.caption.textContent = twin ? ORDERS[scene.order] : 'What the block works on';
  if (twin) parts.twin.caption.textContent = ORDERS[twin.scene.order];
}
